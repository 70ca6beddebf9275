package objectstore

import (
	"cmp"
	"slices"
	"strings"
	"sync"
)

// claim is a wish to use one name, with others that only read it or alone.
type claim struct {
	name  string
	alone bool
}

// keyLocks holds a lock for each name in use, and none for the others: its size is bounded by the requests under way.
type keyLocks struct {
	mu   sync.Mutex // held for a look at the map only
	keys map[string]*keyLock
}

type keyLock struct {
	sync.RWMutex
	users int // who hold it or wait for it
}

// hold waits until all claims are granted; the result gives them back. Names are taken in alphabetical order by all, so that no two wait for
// each other; who holds some may only hold later ones.
func (l *keyLocks) hold(claims ...claim) (release func()) {
	slices.SortFunc(claims, func(a, b claim) int {
		if a.name == b.name && a.alone != b.alone {
			if a.alone {
				return -1 // the stronger claim is kept
			}
			return 1
		}
		return cmp.Compare(a.name, b.name)
	})
	claims = slices.CompactFunc(claims, func(a, b claim) bool { return a.name == b.name })
	held := make([]*keyLock, len(claims))
	for i, c := range claims {
		held[i] = l.use(c.name)
		if c.alone {
			held[i].Lock()
		} else {
			held[i].RLock()
		}
	}
	return func() {
		for i, c := range claims {
			if c.alone {
				held[i].Unlock()
			} else {
				held[i].RUnlock()
			}
			l.leave(c.name, held[i])
		}
	}
}

func (l *keyLocks) use(name string) *keyLock {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := l.keys[name]
	if k == nil {
		if l.keys == nil {
			l.keys = map[string]*keyLock{}
		}
		k = &keyLock{}
		l.keys[strings.Clone(name)] = k
	}
	k.users++
	return k
}

func (l *keyLocks) leave(name string, k *keyLock) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if k.users--; k.users == 0 {
		delete(l.keys, name)
	}
}
