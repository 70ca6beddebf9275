package verify

import (
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"surety/blueprints/architecture"
	"surety/validate"
	"surety/validate/verify/facts"
	"surety/validate/verify/probe"
)

const (
	postgresPort    = 5432 // PostgreSQL's own default
	databaseTimeout = 3 * time.Second
	// followTimeout is how long a standby may take to replay what was written, by the definition of this check.
	followTimeout = 2 * time.Second
)

// databases checks that each database serves those who use it, in the declared engine and version, and that its standby follows.
func databases(s *facts.Subject) []check {
	var checks []check
	for _, c := range s.Arch.Components {
		if c.Database == nil {
			continue
		}
		users := usersOf(s, c.ID)
		if c.Database.Engine != "postgres" {
			checks = append(checks, check{
				id: "database/" + c.Name + "/round trip", requirements: s.Require(c.ID, "engine", "version"),
				judge: func([]probe.Outcome) verdict { return unproven("no check speaks " + c.Database.Engine + " yet") },
			})
			continue
		}
		for _, u := range users {
			checks = append(checks, roundTrip(s, c, u))
		}
		checks = append(checks, engineCheck(s, c, users))
		if c.Database.Standby {
			checks = append(checks, standbyCheck(s, c, users), rolesCheck(s, c))
		}
	}
	return checks
}

// user is a host that uses a component, with the requirements that let it.
type user struct {
	host         *facts.Host
	component    string
	requirements []string
}

// usersOf lists the hosts that use a component. When nobody does, its own first host asks, so that it is measured all the same.
func usersOf(s *facts.Subject, component string) []user {
	var out []user
	for _, f := range s.Arch.Flows {
		if f.To == component && f.From != component && f.From != architecture.Internet {
			for _, h := range s.HostsOf(f.From) {
				out = append(out, user{h, f.From, f.Requirements})
			}
		}
	}
	if own := s.HostsOf(component); len(out) == 0 && len(own) > 0 {
		out = append(out, user{own[0], component, nil})
	}
	return out
}

// databaseURL is the owner's URL of a database, with another host when address is given. It holds the password: never print it.
func databaseURL(s *facts.Subject, component, address string) (string, error) {
	b := s.First("Database", component)
	if b == nil {
		return "", fmt.Errorf("no database %s was built", component)
	}
	if raw := b.Outputs.URL; raw != "" {
		u, err := url.Parse(raw)
		if err != nil {
			return "", fmt.Errorf("the URL of %s does not parse", component)
		}
		if address != "" {
			port := first(u.Port(), strconv.Itoa(portOf(s, component)))
			u.Host = net.JoinHostPort(address, port)
		}
		return plain(u), nil
	}
	password := first(b.Outputs.Password, b.Wanted.Password)
	host := first(address, b.Live.Address, b.Outputs.Address)
	if password == "" || host == "" {
		return "", fmt.Errorf("how to sign in to %s is not known: the deployment holds neither its URL nor address and password", component)
	}
	u := &url.URL{Scheme: "postgres", Host: net.JoinHostPort(host, strconv.Itoa(portOf(s, component))),
		User: url.UserPassword(first(b.Outputs.User, b.Live.User, b.Wanted.Name), password),
		Path: "/" + first(b.Outputs.Database, b.Live.Database, b.Wanted.Name)}
	return plain(u), nil
}

// plain asks for an unencrypted session unless the URL itself says how it wants it. Whether sessions are encrypted is not this check's question.
func plain(u *url.URL) string {
	query := u.Query()
	if !query.Has("sslmode") {
		query.Set("sslmode", "prefer")
		u.RawQuery = query.Encode()
	}
	return u.String()
}

func portOf(s *facts.Subject, component string) int {
	c, _ := s.Component(component)
	b := s.First("Database", component)
	if c.Database == nil || b == nil {
		return postgresPort
	}
	return first(b.Outputs.Port, b.Live.Port, c.Database.Port, postgresPort)
}

func postgresTask(url string) probe.Task {
	return probe.Task{Kind: probe.KindPostgres, Timeout: databaseTimeout, Postgres: &probe.Postgres{URL: url}}
}

// address that a user of the database connects to.
func serviceAddress(s *facts.Subject, component string) string {
	for _, t := range targets(s, component) {
		return t.address
	}
	return ""
}

func roundTrip(s *facts.Subject, c architecture.Component, u user) check {
	k := check{
		id:           fmt.Sprintf("database/%s/round trip from %s", c.Name, u.host.Name),
		requirements: append(s.Known(u.requirements...), s.Require(c.ID, "engine")...),
	}
	url, err := databaseURL(s, c.ID, serviceAddress(s, c.ID))
	if err != nil {
		k.judge = func([]probe.Outcome) verdict { return unproven(err.Error()) }
		return k
	}
	k.asks = []ask{{u.host, postgresTask(url)}}
	k.judge = func(answers []probe.Outcome) verdict {
		o := answers[0]
		want := "a row inserted, read back and deleted"
		if o.Postgres == nil || o.Error != "" {
			return fail(fmt.Sprintf("%s: no round trip from %s: %s", c.Name, u.host.Name, o.Error), saw("SQL round trip", want, o.Error, u.host.Name))
		}
		if o.Postgres.Standby {
			return fail(fmt.Sprintf("%s: its service address leads to a standby, which takes no writes", c.Name), saw("pg_is_in_recovery()", "false", "true", u.host.Name))
		}
		if !o.Postgres.RoundTrip {
			return unproven(fmt.Sprintf("%s: the round trip from %s did not come to its end", c.Name, u.host.Name))
		}
		return pass(fmt.Sprintf("%s: round trip %s p50 of %d from %s", c.Name, validate.Took(o.Postgres.P50), o.Postgres.Rounds, u.host.Name),
			saw("SQL round trip", want, fmt.Sprintf("done; read p50 %s of %d", validate.Took(o.Postgres.P50), o.Postgres.Rounds), u.host.Name))
	}
	return k
}

// engineCheck measures engine and version: what answers to SQL as PostgreSQL is PostgreSQL.
func engineCheck(s *facts.Subject, c architecture.Component, users []user) check {
	k := check{id: "database/" + c.Name + "/version", requirements: s.Require(c.ID, "version", "engine")}
	url, err := databaseURL(s, c.ID, serviceAddress(s, c.ID))
	if err != nil || len(users) == 0 {
		k.judge = func([]probe.Outcome) verdict {
			return unproven(fmt.Sprintf("nobody can ask %s for its version: %v", c.Name, err))
		}
		return k
	}
	for _, u := range users {
		k.asks = append(k.asks, ask{u.host, postgresTask(url)})
	}
	k.partial = true
	k.judge = func(answers []probe.Outcome) verdict {
		for i, o := range answers {
			if o.Postgres == nil || o.Postgres.Version == "" {
				continue
			}
			measured, from := versionIn(o.Postgres.Version), users[i].host.Name
			e := saw("SHOW server_version", first(c.Database.Version, "any"), measured, from)
			if c.Database.Version != "" && !meetsVersion(c.Database.Version, measured) {
				return fail(fmt.Sprintf("%s has version %s, declared %s", c.Name, measured, c.Database.Version), e).about(s.Require(c.ID, "version")...)
			}
			declared := "none is required"
			if c.Database.Version != "" {
				declared = "as declared (" + c.Database.Version + ")"
			}
			return pass(fmt.Sprintf("%s: %s %s, %s", c.Name, c.Database.Engine, measured, declared), e)
		}
		return unproven(fmt.Sprintf("%s: it told nobody its version: %s", c.Name, answers[0].Error))
	}
	return k
}

// standbyCheck makes the primary write its log and sees whether the standby replays it. Hosts that use the database ask first;
// the standby's own host asks, too, since it is the one that the replication flow lets through to the primary.
func standbyCheck(s *facts.Subject, c architecture.Component, users []user) check {
	k := check{id: "database/" + c.Name + "/standby follows", requirements: s.Require(c.ID, "highAvailability"), partial: true}
	primary, standbys := roles(s, c.ID)
	if primary == nil || len(standbys) == 0 {
		k.judge = func([]probe.Outcome) verdict {
			return fail(c.Name+" has no standby", saw("hosts of "+c.ID, "a primary and a standby", number(len(s.HostsOf(c.ID)), "host"), "the deployment"))
		}
		return k
	}
	standby := standbys[0]
	from := []*facts.Host{standby}
	if len(users) > 0 && users[0].host != standby {
		from = append(from, users[0].host)
	}
	upper, err := databaseURL(s, c.ID, primary.Address)
	if err != nil {
		k.judge = func([]probe.Outcome) verdict { return unproven(err.Error()) }
		return k
	}
	lower, err := databaseURL(s, c.ID, standby.Address)
	if err != nil {
		k.judge = func([]probe.Outcome) verdict { return unproven(err.Error()) }
		return k
	}
	task := probe.Task{Kind: probe.KindReplication, Timeout: followTimeout + time.Second, Replication: &probe.Replication{Primary: upper, Standby: lower}}
	for _, h := range from {
		k.asks = append(k.asks, ask{h, task})
	}
	k.judge = func(answers []probe.Outcome) verdict {
		return judgeStandby(c.Name, primary.Name, standby.Name, from, answers)
	}
	return k
}

func judgeStandby(name, primary, standby string, from []*facts.Host, answers []probe.Outcome) verdict {
	var broken *verdict
	var reasons []string
	for i, o := range answers {
		seen, at := o.Replication, from[i].Name
		switch {
		case seen == nil || o.Error != "" && seen.Side != "standby":
			reasons = append(reasons, at+": "+o.Error)
		case o.Error != "":
			v := fail(fmt.Sprintf("%s: its standby %s does not serve: %s", name, standby, o.Error), saw("sign in to the standby", "possible", o.Error, at))
			broken = &v
		case !seen.InRecovery:
			v := fail(fmt.Sprintf("%s: %s is no standby: it takes writes of its own", name, standby), saw("pg_is_in_recovery()", "true", "false", at))
			return v
		case !seen.Replayed || seen.Lag > followTimeout:
			v := fail(fmt.Sprintf("%s: its standby %s had not replayed a write of %s after %s, %d bytes behind", name, standby, primary, validate.Took(seen.Lag), seen.Behind),
				saw("log position replayed by the standby", "at least "+seen.Written, seen.Position, at))
			broken = &v
		default:
			return pass(fmt.Sprintf("%s: standby %s replayed a write of %s after %s", name, standby, primary, validate.Took(seen.Lag)),
				saw("log position replayed by the standby", "at least "+seen.Written+" within "+validate.Took(followTimeout), seen.Position, at))
		}
	}
	if broken != nil {
		return *broken
	}
	return unproven(name + ": nobody could compare primary and standby: " + strings.Join(reasons, "; "))
}

// rolesCheck holds what the control plane reads back of the roles against the declaration.
func rolesCheck(s *facts.Subject, c architecture.Component) check {
	return check{id: "database/" + c.Name + "/roles", requirements: s.Require(c.ID, "highAvailability"), judge: func([]probe.Outcome) verdict {
		b := s.First("Database", c.ID)
		if b == nil || !b.Found {
			if b == nil {
				return unproven("no database " + c.ID + " was built")
			}
			return unproven(b.Reason())
		}
		got := fmt.Sprintf("primary %s, standby %s", first(b.Live.Primary, "none"), first(strings.Join(b.Live.Standbys, ", "), "none"))
		e := saw("roles read back", "a primary and "+number(c.Instances-1, "standby host"), got, "the control plane")
		if b.Live.Primary == "" || len(b.Live.Standbys) < c.Instances-1 {
			return fail(c.Name+": "+got, e)
		}
		return pass(c.Name+": "+got, e)
	}}
}
