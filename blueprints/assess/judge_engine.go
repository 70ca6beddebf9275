package assess

import (
	"fmt"
	"slices"
	"strings"

	"surety/blueprints/catalog"
)

// engines are how database engines are written, in lower case, and what they are called here; the first that a text begins with counts.
var engines = []struct{ prefix, name string }{
	{"aurora-postgres", "postgres"}, {"aurora-mysql", "mysql"}, {"aurora", "mysql"}, {"postgres", "postgres"}, {"pgsql", "postgres"}, {"mariadb", "mariadb"}, {"mysql", "mysql"},
	{"percona", "mysql"}, {"redis", "redis"}, {"valkey", "redis"}, {"oracle database", "oracle"}, {"oracle-", "oracle"}, {"oracle", "oracle"},
	{"microsoft sql", "sqlserver"}, {"ms sql", "sqlserver"}, {"mssql", "sqlserver"}, {"sql server", "sqlserver"}, {"sqlserver", "sqlserver"}, {"db2", "db2"}, {"ibm db2", "db2"},
	{"mongo", "mongodb"}, {"informix", "informix"}, {"sybase", "sybase"}, {"cassandra", "cassandra"}, {"elasticsearch", "elasticsearch"}, {"memcached", "memcached"},
}

// sayable are the engines that a spec can ask for.
var sayable = []string{"postgres", "mariadb", "redis"}

// engineOf gives the engine that software is, "" when it is none that is known.
func engineOf(software string) string {
	plain := strings.ToLower(strings.TrimSpace(software))
	for _, e := range engines {
		if plain == "oracle linux" || strings.HasPrefix(plain, "oracle http") {
			return ""
		}
		if strings.HasPrefix(plain, e.prefix) {
			return e.name
		}
	}
	return ""
}

func (j *judge) database(p *plan, engine string) {
	s := p.system
	written := strings.TrimSpace(s.Software + " " + s.SoftwareVersion)
	switch {
	case engine == "" && s.Software == "":
		p.unsayable = true
		p.find(Finding{Level: Blocks, Topic: TopicEngine, Reason: "the inventory does not say which engine it is, and without it no database can be asked for",
			Mend: "write software, as in postgresql, and softwareVersion", Facts: append(p.said("name"), language("databases.*.engine"))})
		return
	case engine == "mysql":
		p.engine = "mariadb"
		p.find(Finding{Level: Changes, Topic: TopicEngine, From: written, To: "mariadb",
			Reason: "the spec asks for MariaDB, which came from MySQL 5.5 and differs since, in JSON, replication by GTID, authentication plugins and the data dictionary",
			Mend:   "dump and load the data, and test the software's statements on MariaDB",
			Facts:  []Fact{language("databases.*.engine"), {Source: "https://mariadb.com/kb/en/incompatibilities-and-feature-differences-between-mariadb-and-mysql/"}}})
	case !slices.Contains(sayable, engine):
		p.unsayable = true
		p.find(Finding{Level: Blocks, Topic: TopicEngine, From: written, Reason: "a spec can ask for postgres, mariadb and redis, and not for this engine",
			Mend: "move its data and code to PostgreSQL, or keep it where it is and outside the spec", Facts: append(p.said("software"), language("databases.*.engine"))})
		return
	default:
		p.engine = engine
	}
	p.section = "databases"
	p.standby = s.Standby || s.Count > 1
	if s.Kind == Server {
		p.find(Finding{Level: Changes, Topic: TopicKind, From: "installed on a server", To: "a managed database",
			Reason: "it becomes a database of the spec: nobody logs in to its host, extensions and superuser rights are those that the provider allows",
			Mend:   "list its extensions and scheduled jobs, and look for them in the provider's list", Facts: []Fact{language("databases")}})
	}
	if s.Count > 2 {
		p.find(Finding{Level: Changes, Topic: TopicKind, From: fmt.Sprintf("%d instances", s.Count), To: "a primary and a standby",
			Reason: "a database of the spec has a primary and one standby at most", Facts: []Fact{language("databases.*.highAvailability")}})
	}
	j.engineVersion(p, engine, written)
}

// engineVersion compares the version of today with those that the providers support.
func (j *judge) engineVersion(p *plan, was, written string) {
	supported, ended, facts, has := j.known.versions(p.engine, p.system.SoftwareVersion, was == p.engine)
	if len(has) == 0 {
		j.makersVersion(p, was, written)
		return
	}
	version := firstNumber.FindString(p.system.SoftwareVersion)
	if was != p.engine {
		version = ""
	}
	newest, newestFacts := j.known.newest(p.engine, has)
	where := strings.Join(has, ", ")
	switch {
	case version == "" && was == p.engine:
		p.find(Finding{Level: Unproven, Topic: TopicEngine, From: written, Reason: "the inventory does not say which version it is", Mend: "find out, and write softwareVersion", Facts: p.said("name")})
	case version != "" && len(ended) == 0 && len(supported) > 0:
		p.version = major(p.engine, version)
		p.find(Finding{Level: Carries, Topic: TopicEngine, From: written, To: p.engine + " " + p.version, Reason: strings.Join(supported, "; "), Facts: facts})
	case newest == "":
		p.find(Finding{Level: Unproven, Topic: TopicEngine, From: written, To: p.engine, Reason: "no version is known that is supported at " + where, Mend: "ask the provider", Facts: facts})
	default:
		p.version = newest
		reason := strings.Join(append(ended, supported...), "; ")
		if reason == "" && version != "" {
			reason = fmt.Sprintf("version %s is not in the catalogue for %s", version, where)
		}
		if was != p.engine {
			reason = "a version is chosen anew"
		}
		p.assume("version", fmt.Sprintf("today it is %s", written))
		p.find(Finding{Level: Changes, Topic: TopicEngine, From: written, To: p.engine + " " + newest,
			Reason: fmt.Sprintf("%s; %s is supported longest at %s", reason, newest, where),
			Mend:   "test the software with it, and upgrade by dump and load or the engine's own tool", Facts: append(facts, newestFacts...)})
	}
	if missing := j.known.without(has); len(missing) > 0 && len(j.known.providers) > 1 {
		p.find(Finding{Level: Unproven, Topic: TopicEngine, Reason: fmt.Sprintf("of %s nothing is known at %s", p.engine, strings.Join(missing, ", ")),
			Mend: "ask that provider before choosing it", Facts: []Fact{{Source: "the catalogue's engine versions"}}})
	}
}

// makersVersion judges by what the engine's makers say, when nothing of it is known of any provider.
func (j *judge) makersVersion(p *plan, was, written string) {
	version := firstNumber.FindString(p.system.SoftwareVersion)
	if was == p.engine && version != "" {
		p.version = major(p.engine, version)
	}
	reason := fmt.Sprintf("until when %s supports a version is not known", strings.Join(j.known.providers, ", "))
	facts := []Fact{{Source: "the catalogue's engine versions"}}
	if l, known := lifeOf(p.engine, version); known && j.known.now.After(l.standard) {
		p.version = ""
		p.assume("version", fmt.Sprintf("left out: today it is %s, whose support by its makers ended on %s", written, l.standard.Format(day)))
		p.find(Finding{Level: Changes, Topic: TopicEngine, From: written, To: p.engine + ", a newer version",
			Reason: fmt.Sprintf("its makers' support ended on %s; %s", l.standard.Format(day), reason), Mend: "choose a version that the provider offers", Facts: append([]Fact{l.fact}, facts...)})
		return
	}
	p.find(Finding{Level: Unproven, Topic: TopicEngine, From: written, To: strings.TrimSpace(p.engine + " " + p.version), Reason: reason, Mend: "ask the provider", Facts: facts})
}

// major is the part of a version that a spec asks for: what continues it at a dot meets it.
func major(engine, version string) string {
	parts := strings.Split(version, ".")
	n := 2
	if engine == "postgres" && len(numbers(version)) > 0 && numbers(version)[0] >= 10 {
		n = 1
	}
	return strings.Join(parts[:min(n, len(parts))], ".")
}

// managed are a provider's engines of one name, without those that are another product by the same name.
func (k *knowledge) managed(provider, engine string) []catalog.Engine {
	var out []catalog.Engine
	for _, e := range k.of[provider].Engines {
		if e.Engine == engine && e.Service != "aurora" && e.Service != "os" {
			out = append(out, e)
		}
	}
	return out
}

// versions words per provider how a version is supported, and gives the providers of which anything is known of the engine.
func (k *knowledge) versions(engine, text string, same bool) (supported, ended []string, facts []Fact, has []string) {
	version := firstNumber.FindString(text)
	for _, id := range k.providers {
		all := k.managed(id, engine)
		if len(all) == 0 {
			continue
		}
		has = append(has, id)
		if version == "" || !same {
			continue
		}
		best := catalog.Engine{}
		for _, e := range all {
			if continues(version, e.Version) && len(e.Version) > len(best.Version) {
				best = e
			}
		}
		label := id + " " + best.Service
		switch {
		case best.Version == "":
			ended = append(ended, fmt.Sprintf("%s does not list version %s", id, version))
			facts = append(facts, fact(all[0].Origin))
			continue
		case best.Standard.IsZero():
			supported = append(supported, fmt.Sprintf("%s offers %s, until when is not known", label, best.Version))
		case !k.now.After(best.Standard):
			supported = append(supported, fmt.Sprintf("%s supports %s until %s", label, best.Version, best.Standard.Format(day)))
		case !best.Extended.IsZero() && !k.now.After(best.Extended):
			ended = append(ended, fmt.Sprintf("%s ended standard support of %s on %s and extends it, for a price, to %s", label, best.Version, best.Standard.Format(day), best.Extended.Format(day)))
		default:
			ended = append(ended, fmt.Sprintf("%s ended support of %s on %s", label, best.Version, best.Standard.Format(day)))
		}
		facts = append(facts, fact(best.Origin))
	}
	return supported, ended, distinct(facts), has
}

// newest is the version with the longest standard support among those that all providers with facts support today.
func (k *knowledge) newest(engine string, providers []string) (string, []Fact) {
	count, from := map[string]int{}, map[string][]Fact{}
	for _, id := range providers {
		for _, e := range k.managed(id, engine) {
			if !e.Standard.IsZero() && !k.now.After(e.Standard) && e.Version == major(engine, e.Version) {
				count[e.Version]++
				from[e.Version] = append(from[e.Version], fact(e.Origin))
			}
		}
	}
	best, until := "", ""
	for version, n := range count {
		if n < len(providers) {
			continue
		}
		least := "" // the earliest end among the providers
		for _, id := range providers {
			for _, e := range k.managed(id, engine) {
				if end := e.Standard.Format(day); e.Version == version && (least == "" || end < least) {
					least = end
				}
			}
		}
		if least > until || least == until && versionLess(best, version) {
			best, until = version, least
		}
	}
	return best, distinct(from[best])
}

// without are the providers that are not among these.
func (k *knowledge) without(has []string) []string {
	return slices.DeleteFunc(slices.Clone(k.providers), func(id string) bool { return slices.Contains(has, id) })
}

func distinct(facts []Fact) []Fact {
	var out []Fact
	for _, f := range facts {
		if !slices.Contains(out, f) {
			out = append(out, f)
		}
	}
	return out
}
