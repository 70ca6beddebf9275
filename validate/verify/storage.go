package verify

import (
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"surety/blueprints/architecture"
	"surety/validate"
	"surety/validate/verify/facts"
	"surety/validate/verify/probe"
)

const storageTimeout = 4 * time.Second

// storage checks that each bucket takes and gives objects to those who have a grant, and to nobody else.
func storage(s *facts.Subject) []check {
	var checks []check
	for _, c := range s.Arch.Components {
		if c.Bucket == nil {
			continue
		}
		users := usersOf(s, c.ID)
		for _, u := range users {
			checks = append(checks, ownGrant(s, c, u))
		}
		checks = append(checks, refusals(s, c, users)...)
		if c.Backup == nil { // whether its copies have room shows in that they are made
			checks = append(checks, versioningCheck(s, c, users), roomCheck(s, c))
		}
		checks = append(checks, grantChecks(s, c)...)
	}
	return checks
}

// bucketAccess is how a server group signs in to a bucket. It holds the secret key: never print it.
func bucketAccess(s *facts.Subject, bucket, group string) (probe.S3, error) {
	store, b := s.First("ObjectStore", ""), s.First("Bucket", bucket)
	if store == nil || b == nil {
		return probe.S3{}, fmt.Errorf("no object store or no bucket was built for %s", bucket)
	}
	access := probe.S3{
		Endpoint: first(store.Outputs.Endpoint, store.Live.Endpoint),
		Region:   first(store.Outputs.Region, store.Live.Region),
		Bucket:   first(b.Outputs.Name, b.Wanted.Name),
	}
	if access.Endpoint == "" || access.Bucket == "" {
		return access, fmt.Errorf("the endpoint or the name of %s is not known", bucket)
	}
	if g := grantOf(s, access.Bucket, group); g != nil {
		access.AccessKey, access.SecretKey = first(g.Outputs.AccessKey, g.Wanted.AccessKey), first(g.Outputs.SecretKey, g.Wanted.SecretKey)
	}
	if access.AccessKey == "" || access.SecretKey == "" {
		return access, fmt.Errorf("no key that lets %s into %s is known", group, bucket)
	}
	return access, nil
}

// grantOf is the Graph's grant of a bucket (by its S3 name) to a server group.
func grantOf(s *facts.Subject, bucket, group string) *facts.Built {
	for _, b := range s.Of("Grant", group) {
		if first(b.Wanted.Bucket, b.Outputs.Bucket) == bucket {
			return b
		}
	}
	return nil
}

func s3Task(access probe.S3) probe.Task {
	return probe.Task{Kind: probe.KindS3, Timeout: storageTimeout, S3: &access}
}

func ownGrant(s *facts.Subject, c architecture.Component, u user) check {
	k := check{
		id:           fmt.Sprintf("storage/%s/read and write from %s", c.Name, u.host.Name),
		requirements: first2(s.Known(u.requirements...), s.Require(c.ID, "size")),
	}
	access, err := bucketAccess(s, c.ID, u.component)
	if err != nil {
		k.judge = func([]probe.Outcome) verdict { return unproven(err.Error()) }
		return k
	}
	k.asks = []ask{{u.host, s3Task(access)}}
	k.judge = func(answers []probe.Outcome) verdict {
		seen := answers[0].S3
		if seen == nil {
			return unproven(fmt.Sprintf("%s: the store could not be asked from %s: %s", c.Name, u.host.Name, answers[0].Error))
		}
		got := steps(seen)
		e := saw("put, get, list, delete of "+bytesOf(float64(seen.Size)), "ok each, content intact", got, u.host.Name)
		switch {
		case seen.Put != probe.OK || seen.Get != probe.OK || seen.List != probe.OK || seen.Delete != probe.OK:
			return fail(fmt.Sprintf("%s: %s with its grant from %s", c.Name, got, u.host.Name), e)
		case !seen.Intact:
			return fail(fmt.Sprintf("%s: an object read back is not what was written", c.Name), e)
		case !seen.Listed:
			return fail(fmt.Sprintf("%s: an object written is not in the list", c.Name), e)
		}
		return pass(fmt.Sprintf("%s: put %s, get %s from %s", c.Name, validate.Took(seen.PutTook), validate.Took(seen.GetTook), u.host.Name), e)
	}
	return k
}

func steps(seen *probe.S3Seen) string {
	return fmt.Sprintf("put %s, get %s, list %s, delete %s", seen.Put, seen.Get, seen.List, seen.Delete)
}

// refusals try the bucket as callers that it must not know: nobody, a user that does not exist, and each user of another bucket.
func refusals(s *facts.Subject, c architecture.Component, users []user) []check {
	var checks []check
	base, err := bucketAccess(s, c.ID, "")
	if base.Endpoint == "" || base.Bucket == "" || len(users) == 0 {
		reason := fmt.Sprintf("nobody can try %s: %v", c.Name, err)
		return []check{{
			id: "storage/" + c.Name + "/refuses others", requirements: s.Exposure(c.ID),
			judge: func([]probe.Outcome) verdict { return unproven(reason) },
		}}
	}
	add := func(who string, from *facts.Host, key, secret string) {
		access := base
		access.AccessKey, access.SecretKey = key, secret
		checks = append(checks, check{
			id: fmt.Sprintf("storage/%s/refuses %s", c.Name, who), requirements: s.Exposure(c.ID), asks: []ask{{from, s3Task(access)}},
			judge: func(answers []probe.Outcome) verdict { return judgeRefusal(c.Name, who, from.Name, answers[0]) },
		})
	}
	from := users[0].host
	add("anonymous callers", from, "", "")
	add("an unknown user", from, "surety-"+strings.ToLower(rand.Text()[:12]), rand.Text())
	for _, g := range s.Of("Grant", "") {
		if other := first(g.Wanted.Bucket, g.Outputs.Bucket); other == base.Bucket || hasGrant(s, base.Bucket, first(g.Wanted.AccessKey, g.Outputs.AccessKey)) {
			continue
		}
		key, secret := first(g.Outputs.AccessKey, g.Wanted.AccessKey), first(g.Outputs.SecretKey, g.Wanted.SecretKey)
		if key != "" && secret != "" {
			add("user "+key, from, key, secret)
		}
	}
	return checks
}

func hasGrant(s *facts.Subject, bucket, key string) bool {
	for _, g := range s.Of("Grant", "") {
		if first(g.Wanted.Bucket, g.Outputs.Bucket) == bucket && first(g.Wanted.AccessKey, g.Outputs.AccessKey) == key {
			return true
		}
	}
	return false
}

func judgeRefusal(bucket, who, from string, o probe.Outcome) verdict {
	seen := o.S3
	if seen == nil {
		return unproven(fmt.Sprintf("%s could not be tried as %s: %s", bucket, who, o.Error))
	}
	e := saw("put and list as "+who, "refused", fmt.Sprintf("put %s, list %s", seen.Put, seen.List), from)
	switch {
	case seen.Put == probe.OK || seen.List == probe.OK:
		return fail(fmt.Sprintf("%s lets %s in: put %s, list %s", bucket, who, seen.Put, seen.List), e)
	case probe.Denied(seen.Put) && probe.Denied(seen.List):
		return pass(fmt.Sprintf("%s refuses %s: %s", bucket, who, seen.Put), e)
	}
	return unproven(fmt.Sprintf("%s gave no clear refusal to %s: put %s, list %s", bucket, who, seen.Put, seen.List), e)
}

// versioningCheck asks the store itself with a user's grant, and falls back on what the control plane read back.
func versioningCheck(s *facts.Subject, c architecture.Component, users []user) check {
	k := check{id: "storage/" + c.Name + "/versioning", requirements: s.Require(c.ID, "versioning"), partial: true}
	for _, u := range users {
		if access, err := bucketAccess(s, c.ID, u.component); err == nil {
			k.asks = append(k.asks, ask{u.host, s3Task(access)})
		}
	}
	want := map[bool]string{true: "Enabled", false: "off"}[c.Bucket.Versioning]
	k.judge = func(answers []probe.Outcome) verdict {
		got, from := "", ""
		for i, o := range answers {
			if o.S3 != nil && (o.S3.Versioning == "Enabled" || o.S3.Versioning == "Suspended" || o.S3.Versioning == "off") {
				got, from = o.S3.Versioning, k.asks[i].host.Name
				break
			}
		}
		if b := s.First("Bucket", c.ID); got == "" && b != nil && b.Found && b.Live.Available {
			got, from = map[bool]string{true: "Enabled", false: "off"}[b.Live.Versioning], "the control plane"
		}
		e := saw("GetBucketVersioning", want, first(got, "nothing"), from)
		switch {
		case got == "":
			return unproven(c.Name + ": whether it keeps versions could not be read")
		case got != want && (want != "off" || got != "Suspended"): // suspended is off, with versions kept from before
			return fail(fmt.Sprintf("%s: versioning is %s, declared %s", c.Name, got, want), e)
		}
		return pass(fmt.Sprintf("%s: versioning %s as declared", c.Name, got), e)
	}
	return k
}

// roomCheck holds the store's disk against the data that the bucket is declared to take.
func roomCheck(s *facts.Subject, c architecture.Component) check {
	k := check{id: "storage/" + c.Name + "/room", requirements: s.Require(c.ID, "size")}
	hosts := s.HostsOf(c.ID)
	if len(hosts) == 0 || c.Size.Disk <= 0 {
		k.judge = func([]probe.Outcome) verdict {
			return unproven("the room of " + c.Name + " can be measured on no host")
		}
		return k
	}
	k.asks = []ask{{hosts[0], system}}
	k.judge = func(answers []probe.Outcome) verdict {
		sys := answers[0].System
		if sys == nil {
			return unproven(fmt.Sprintf("%s: the store's disk could not be measured: %s", c.Name, answers[0].Error))
		}
		declared, got := float64(c.Size.Disk), float64(sys.Disk)
		e := saw("size of the store's file system", "at least "+bytesOf(declared), bytesOf(got), hosts[0].Name)
		if b := s.First("ObjectStore", ""); b != nil && b.Found && !b.Live.Enforced["disk"] && got > declared && b.Live.Enforced != nil {
			return unproven(fmt.Sprintf("%s: the store's disk is not its own on this machine", c.Name), e)
		}
		if got < declared*(1-diskTolerance) {
			return fail(fmt.Sprintf("%s: the store has room for %s, declared %s", c.Name, bytesOf(got), bytesOf(declared)), e)
		}
		return pass(fmt.Sprintf("%s: the store has room for %s, declared %s", c.Name, bytesOf(got), bytesOf(declared)), e)
	}
	return k
}

// grantChecks compare the grants read back with those declared, both ways.
func grantChecks(s *facts.Subject, c architecture.Component) []check {
	bucket := ""
	if b := s.First("Bucket", c.ID); b != nil {
		bucket = first(b.Outputs.Name, b.Wanted.Name)
	}
	var checks []check
	for _, g := range c.Bucket.Grants {
		checks = append(checks, check{
			id: fmt.Sprintf("storage/%s/grant to %s", c.Name, g.To), requirements: g.Requirements,
			judge: func([]probe.Outcome) verdict {
				b := grantOf(s, bucket, g.To)
				if b == nil {
					return unproven(fmt.Sprintf("no grant of %s to %s was built", c.ID, g.To))
				}
				e := saw("grant of "+c.Name+" to "+g.To, "present", "present", "the object store")
				if !b.Found {
					if b.Missing != "" {
						return unproven(b.Reason())
					}
					e.Got = "missing"
					return fail(fmt.Sprintf("%s: the grant to %s is missing", c.Name, g.To), e)
				}
				switch {
				case !b.Live.Available:
					return unproven(fmt.Sprintf("%s: the store does not answer, so that the grant to %s could not be read back", c.Name, g.To))
				case b.Live.Altered:
					e.Got = "its secret or rights are not as granted"
					return fail(fmt.Sprintf("%s: the grant to %s was changed by hand", c.Name, g.To), e)
				}
				return pass(fmt.Sprintf("%s: the grant to %s is in force", c.Name, g.To), e)
			},
		})
	}
	b := s.First("Bucket", c.ID)
	if b == nil || b.Live.Users == nil {
		return checks // the target does not list whom a bucket lets in; the refusals are tried all the same
	}
	return append(checks, check{
		id: "storage/" + c.Name + "/no other grant", requirements: s.Exposure(c.ID),
		judge: func([]probe.Outcome) verdict {
			if !b.Live.Available {
				return unproven(c.Name + ": the store does not answer, so that its grants could not be read back")
			}
			var others []string
			for _, key := range b.Live.Users {
				if !hasGrant(s, bucket, key) {
					others = append(others, key)
				}
			}
			got := first(strings.Join(others, ", "), "none")
			e := saw("users of "+c.Name+" without a use", "none", got, "the object store")
			if len(others) > 0 {
				return fail(fmt.Sprintf("%s lets in %s, whom nothing declares", c.Name, got), e)
			}
			return pass(fmt.Sprintf("%s lets in nobody whom nothing declares", c.Name), e)
		},
	})
}

// first2 gives the first list that holds anything.
func first2(lists ...[]string) []string {
	for _, l := range lists {
		if len(l) > 0 {
			return l
		}
	}
	return nil
}
