package verify

import (
	"context"
	"fmt"

	"surety/stacks"
	"surety/validate/verify/facts"
	"surety/validate/verify/probe"
)

// Held is one thing that a host holds, as the host itself sees it. SHA256 is empty where it is not there.
type Held struct {
	Kind   string // "program", "file", "running program", "command line", "environment"
	Of     string // path on the host, name of the program that runs, or the port it serves
	SHA256 string // of command lines and environments: under the key
}

// Holdings says what to read of a host.
type Holdings struct {
	Programs []string // paths on the host
	Files    []string
	Port     int    // of the service; 0: the service that the host is there for is found by its control group
	Key      string // under which command lines and environments, which may hold secrets, are digested
}

// Read asks a host through the probe. An error means that the host could not be asked, or not about all of it.
func (q Holdings) Read(ctx context.Context, host stacks.Host) ([]Held, error) {
	s := &session{host: &facts.Host{Name: host.Name(), Component: host.Component(), Way: host}}
	var held []Held
	add := func(kind string, paths []string) {
		for _, path := range paths {
			held = append(held, Held{Kind: kind, Of: path})
			s.tasks = append(s.tasks, probe.Task{ID: kind + " " + path, Kind: probe.KindFile, Timeout: openTimeout, File: &probe.File{Path: path}})
		}
	}
	add("program", q.Programs)
	add("file", q.Files)
	s.tasks = append(s.tasks, probe.Task{ID: "process", Kind: probe.KindProcess, Timeout: openTimeout,
		Process: &probe.Process{Port: q.Port, Group: serviceGroup, Key: q.Key}})
	outcomes, err := s.run(ctx)
	if err != nil {
		return nil, err
	}
	for i := range held {
		if outcomes[i].Error != "" || outcomes[i].File == nil {
			return nil, fmt.Errorf("%s: read %s: %s", host.Name(), held[i].Of, outcomes[i].Error)
		}
		held[i].SHA256 = outcomes[i].File.SHA256
	}
	last := outcomes[len(held)]
	if last.Error != "" || last.Process == nil {
		return nil, fmt.Errorf("%s: read its processes: %s", host.Name(), last.Error)
	}
	if !last.Process.Found {
		return held, nil
	}
	of := "its service"
	if q.Port > 0 {
		of = fmt.Sprintf("port %d", q.Port)
	}
	return append(held, Held{"running program", last.Process.Program, last.Process.SHA256},
		Held{"command line", of, last.Process.CommandLine}, Held{"environment", of, last.Process.Environment}), nil
}
