package main

import (
	"fmt"
	"sort"
	"strings"
	"time"
)

// Do carries out a request of `initctl` and returns the text to show.
func (sup *Supervisor) Do(verb string, names []string) (string, error) {
	type answer struct {
		text string
		err  error
	}
	answers := make(chan answer, 1)
	sup.post(func() {
		text, err := sup.do(verb, names)
		answers <- answer{text, err}
	})
	select {
	case given := <-answers:
		return given.text, given.err
	case <-sup.done:
		return "", fmt.Errorf("the machine is going down")
	}
}

func (sup *Supervisor) do(verb string, names []string) (string, error) {
	if verb == "status" {
		return sup.status(names)
	}
	if len(names) == 0 {
		return "", fmt.Errorf("%s what? name a service", verb)
	}
	for _, name := range names {
		s, there := sup.services[name]
		if !there {
			return "", sup.unknown(name)
		}
		if sup.leaving && verb != "check" {
			return "", fmt.Errorf("the machine is going down")
		}
		switch verb {
		case "start":
			sup.wake(s)
		case "stop":
			sup.wantDown(s, false)
		case "restart":
			sup.wantDown(s, true)
		case "check":
			if s.state != StateUp {
				return "", fmt.Errorf("%s is %s", name, s.state)
			}
		default:
			return "", fmt.Errorf("%s is no request: status, start, stop, restart, check", verb)
		}
	}
	return "", nil
}

// wake wants a service and what it needs up, without the rest of a delay.
func (sup *Supervisor) wake(s *service) {
	s.wanted = true
	if !s.running() && s.state != StateUp {
		sup.cancel(s)
		s.state = StateWaiting
	}
	if s.state == StateStopping {
		s.again = true
	}
	for _, name := range s.Needs {
		if needed, there := sup.services[name]; there && !needed.wanted {
			sup.wake(needed)
		}
	}
}

// wantDown stops a service and first those that need it; all of them come back where it is a restart.
func (sup *Supervisor) wantDown(s *service, again bool) {
	was := s.wanted
	s.wanted = false
	s.again = again && (was || s.running())
	if again && !s.running() {
		s.again = false
		sup.wake(s)
		return
	}
	for _, other := range sup.services {
		for _, name := range other.Needs {
			if name == s.Name && other.wanted {
				sup.wantDown(other, again)
			}
		}
	}
}

func (sup *Supervisor) status(names []string) (string, error) {
	if len(names) == 0 {
		for _, s := range sup.sorted() {
			names = append(names, s.Name)
		}
	}
	var text strings.Builder
	for _, name := range names {
		s, there := sup.services[name]
		if !there {
			return "", sup.unknown(name)
		}
		fmt.Fprintf(&text, "%-20s %-9s", s.Name, s.state)
		if s.pid != 0 {
			fmt.Fprintf(&text, " pid %d,", s.pid)
		}
		fmt.Fprintf(&text, " %ds", int(time.Since(s.since).Seconds()))
		if s.restarts > 0 {
			fmt.Fprintf(&text, ", %d restarts", s.restarts)
		}
		if s.lastExit != "" {
			fmt.Fprintf(&text, ", last %s", s.lastExit)
		}
		if s.state == StateWaiting {
			fmt.Fprintf(&text, ", for %s", strings.Join(sup.missing(s), " "))
		}
		text.WriteByte('\n')
	}
	return text.String(), nil
}

// missing names what a waiting service waits for.
func (sup *Supervisor) missing(s *service) []string {
	var list []string
	for _, name := range before(s.Manifest) {
		if other, there := sup.services[name]; there && other.state != StateUp {
			list = append(list, name)
		}
	}
	sort.Strings(list)
	return list
}

func (sup *Supervisor) unknown(name string) error {
	return fmt.Errorf("there is no service %q; `initctl status` lists them", name)
}
