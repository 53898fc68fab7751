package main

import (
	"fmt"
	"strings"
)

// withoutImpossible reports the services that can never start, because they need one another or one that is not there,
// and returns the rest. An `after` that closes a cycle would hold both sides for ever, so it counts the same.
func withoutImpossible(services []Manifest) ([]Manifest, []error) {
	var problems []error
	for {
		kept, problem := dropOne(services)
		if problem == nil {
			return services, problems
		}
		problems = append(problems, problem)
		services = kept
	}
}

func dropOne(services []Manifest) ([]Manifest, error) {
	byName := map[string]Manifest{}
	for _, service := range services {
		byName[service.Name] = service
	}
	for at, service := range services {
		for _, needed := range service.Needs {
			if _, there := byName[needed]; !there {
				return dropAt(services, at), fmt.Errorf("%s needs %s, which is not enabled: it is not started", service.Name, needed)
			}
		}
		if cycle := cycleFrom(service.Name, byName); cycle != nil {
			return dropAt(services, at), fmt.Errorf("%s is not started: its dependencies form a cycle: %s", service.Name, strings.Join(cycle, " -> "))
		}
	}
	return services, nil
}

func dropAt(services []Manifest, at int) []Manifest {
	kept := append([]Manifest{}, services[:at]...)
	return append(kept, services[at+1:]...)
}

// cycleFrom returns the names on a way from a service back to itself, or nil.
func cycleFrom(start string, byName map[string]Manifest) []string {
	visited := map[string]bool{}
	var visit func(name string, trail []string) []string
	visit = func(name string, trail []string) []string {
		trail = append(trail, name)
		for _, next := range before(byName[name]) {
			if next == start {
				return append(trail, start)
			}
			if _, there := byName[next]; !there || visited[next] {
				continue
			}
			visited[next] = true
			if cycle := visit(next, trail); cycle != nil {
				return cycle
			}
		}
		return nil
	}
	return visit(start, nil)
}

// before lists what must have come up, or at least been tried, before a service.
func before(service Manifest) []string {
	return append(append([]string{}, service.Needs...), service.After...)
}
