package validate

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path"
	"path/filepath"
	"strings"

	"surety/blueprints"
)

func (j *judge) server(name string, s blueprints.Server, entries map[int]string) {
	id := "servers." + name
	j.size(id, s.Size)
	j.software(id+".runs", s.Runs)
	if s.Runs.Health != "" && s.Runs.Port == 0 && s.Public == nil {
		j.fault(id+".runs.port", "health is asked for, and there is no port to ask", "add port: 8080", id+".runs.health")
	}
	j.public(id, s, entries)
	j.load(name, s)
	j.uses(id, s)
	for _, at := range blueprints.SortedKeys(texts(s)) {
		j.references(id, at, texts(s)[at], s)
	}
	for _, name := range blueprints.SortedKeys(s.Env) {
		if strings.ContainsRune(s.Env[name], 0) {
			j.fault(id+".env."+name, "holds a NUL character, which no environment variable can carry", "leave it out, or hand the value over in a file")
		}
	}
	for file := range s.Files {
		if !strings.HasPrefix(file, "/") || strings.HasSuffix(file, "/") {
			continue // no path of a file, and reported so by the schema
		}
		if clean := path.Clean(file); clean != file {
			j.fault(id+".files."+file, "the path is not in its shortest form", "write "+clean)
		} else if top, _, _ := strings.Cut(strings.TrimPrefix(file, "/"), "/"); top == "proc" || top == "sys" || top == "dev" {
			j.fault(id+".files."+file, "/"+top+" belongs to the kernel and holds no files of yours", "write the file below /etc or /opt")
		}
	}
}

func (j *judge) software(id string, r blueprints.Software) {
	switch {
	case r.Package != "" && r.Program != "":
		j.fault(id+".program", "both package and program are given", "keep one of the two", id+".package", id+".program")
	case r.Package == "" && r.Program == "" && j.sound(id+".program"):
		j.fault(id+".package", "neither package nor program is given", "add package: nginx, or program: bin/api")
	case r.Program != "":
		j.program(id+".program", r.Program)
	}
	if r.Version != "" && r.Package == "" && r.Program != "" && len(r.VersionCommand) == 0 {
		j.warn(id+".version", "the version of a program cannot be measured without a command that prints it", fmt.Sprintf("add versionCommand: [%q, -version]", path.Base(r.Program)))
	}
	if len(r.Command) > 0 && strings.TrimSpace(r.Command[0]) == "" {
		j.fault(id+".command", "the command has no program in it", "write command: [nginx]")
	}
	for i, argument := range r.Command {
		refs, _ := blueprints.References(argument)
		if len(refs) > 0 {
			j.fault(id+".command", fmt.Sprintf("argument %d holds %s, and references are expanded in env and files only", i, refs[0].Text), "put it into env and let the software, or sh -c, read the variable")
			break
		}
	}
}

// program looks for the file that is put on hosts.
func (j *judge) program(id, program string) {
	info := j.file(id, program, "build it, or correct the path", "name the executable file in it")
	if info != nil && info.Mode()&0o111 == 0 {
		j.fault(id, fmt.Sprintf("%q is not executable", program), fmt.Sprintf("run chmod +x %q", program))
	}
}

// file looks for a file that the spec names. It must lie in the spec's folder, so that the spec can be moved and kept as one. Nil: a
// fault was reported.
func (j *judge) file(id, name, make, isFolder string) os.FileInfo {
	const inside = "put the file into the folder of the spec and write its path from there"
	if filepath.IsAbs(name) {
		j.fault(id, fmt.Sprintf("%q is an absolute path", name), inside)
		return nil
	}
	if !filepath.IsLocal(name) {
		j.fault(id, fmt.Sprintf("%q leads out of the folder of the spec", name), inside)
		return nil
	}
	file := filepath.Join(j.doc.Dir, name)
	real, err := filepath.EvalSymlinks(file)
	if err == nil {
		if dir, e := filepath.EvalSymlinks(j.doc.Dir); e == nil {
			if rel, e := filepath.Rel(dir, real); e != nil || !filepath.IsLocal(rel) {
				j.fault(id, fmt.Sprintf("%q is a link that leads out of the folder of the spec", name), inside)
				return nil
			}
		}
	}
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		j.fault(id, fmt.Sprintf("there is no file %q in the folder of the spec", name), make)
	case err != nil:
		j.fault(id, fmt.Sprintf("%q cannot be looked at", name), "make it readable, or correct the path")
	case !info.Mode().IsRegular():
		j.fault(id, fmt.Sprintf("%q is not a file", name), isFolder)
	default:
		return info
	}
	return nil
}

func (j *judge) public(id string, s blueprints.Server, entries map[int]string) {
	if s.Public == nil {
		return
	}
	if s.Runs.Port == 0 {
		j.fault(id+".runs.port", "the group is public, and its software has no port", "add port: 8080 to runs", id+".public")
	}
	if other, taken := entries[s.Public.Port]; taken && s.Public.Port != 0 {
		j.fault(id+".public.port", fmt.Sprintf("%s is public on port %d already", other, s.Public.Port), "give each group a port of its own", other+".public", id+".public")
	} else {
		entries[s.Public.Port] = id
	}
	if s.Public.From == "" {
		return
	}
	at, from := id+".public.from", s.Public.From
	block, err := netip.ParsePrefix(from)
	if err != nil {
		mend := "write an address and the length of its prefix, as in 203.0.113.0/24; 0.0.0.0/0 is everyone"
		if address, e := netip.ParseAddr(from); e == nil && address.Zone() == "" {
			mend = fmt.Sprintf("write %s/%d for this one address", address, address.BitLen())
		}
		j.fault(at, fmt.Sprintf("%q is not an address block", from), mend)
	} else if block.Masked() != block {
		j.fault(at, fmt.Sprintf("%s has bits set beyond its prefix", from), fmt.Sprintf("write %s for the block, or %s/%d for the address", block.Masked(), block.Addr(), block.Addr().BitLen()))
	}
}
