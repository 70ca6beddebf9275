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
	j.load(id, s)
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

// program looks for the file. It must lie in the spec's folder, so that the spec can be moved and kept as one.
func (j *judge) program(id, program string) {
	const inside = "put the file into the folder of the spec and write its path from there"
	if filepath.IsAbs(program) {
		j.fault(id, fmt.Sprintf("%q is an absolute path", program), inside)
		return
	}
	if !filepath.IsLocal(program) {
		j.fault(id, fmt.Sprintf("%q leads out of the folder of the spec", program), inside)
		return
	}
	file := filepath.Join(j.doc.Dir, program)
	real, err := filepath.EvalSymlinks(file)
	if err == nil {
		if dir, e := filepath.EvalSymlinks(j.doc.Dir); e == nil {
			if rel, e := filepath.Rel(dir, real); e != nil || !filepath.IsLocal(rel) {
				j.fault(id, fmt.Sprintf("%q is a link that leads out of the folder of the spec", program), inside)
				return
			}
		}
	}
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		j.fault(id, fmt.Sprintf("there is no file %q in the folder of the spec", program), "build it, or correct the path")
	case err != nil:
		j.fault(id, fmt.Sprintf("%q cannot be looked at", program), "make it readable, or correct the path")
	case !info.Mode().IsRegular():
		j.fault(id, fmt.Sprintf("%q is not a file", program), "name the executable file in it")
	case info.Mode()&0o111 == 0:
		j.fault(id, fmt.Sprintf("%q is not executable", program), fmt.Sprintf("run chmod +x %q", program))
	}
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

// load judges what is expected of a public entry.
func (j *judge) load(id string, s blueprints.Server) {
	e, at := s.Expects, id+".expects"
	j.asksNothing(at+".p95", e.P95 == 0, "p95: 150ms")
	if e == (blueprints.ServerExpects{}) {
		return
	}
	if s.Public == nil && j.sound(id+".public") {
		j.fault(at, "load is expected of a group that is not public, and it is measured through the public entry", "add public: {port: 80}, or move expects to the group that is public")
	}
	switch {
	case e.RPS > 0 && e.P95 == 0 && j.leftOut(at+".p95"):
		j.warn(at+".rps", "a rate without a response time is met by any answer, however late", "add p95: 150ms")
	case e.RPS == 0 && e.P95 > 0 && j.leftOut(at+".rps"):
		j.warn(at+".p95", "a response time without a rate is measured on an idle system", "add rps: 200")
	case e.RPS == 0 && e.P95 == 0 && e.Errors > 0 && j.leftOut(at+".rps"):
		j.warn(at+".errors", "a share of errors without a rate is measured on an idle system", "add rps: 200")
	}
	if e.Errors > 50 {
		j.fault(at+".errors", fmt.Sprintf("%s of failed requests is no service", e.Errors), "write a small share, as in 0.1%")
	}
	if rto := j.spec.Objectives.RTO; rto > 0 && e.P95 > rto {
		j.fault(at+".p95", fmt.Sprintf("a response may take %s, longer than an outage may (%s)", e.P95, rto), "write a response time, as in 150ms", at+".p95", "objectives.rto")
	}
}
