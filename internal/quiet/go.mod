// A module of its own, for its path: Go initialises packages in the order of their import paths as soon as what they
// import is initialised, and this one has to come before github.com/charmbracelet/bubbletea.
module a.surety/quiet

go 1.26

require github.com/charmbracelet/lipgloss v1.1.0
