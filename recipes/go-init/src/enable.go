package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// off marks a service that the operator switched off: an empty file NAME.off beside the manifests. The manifest
// itself belongs to a package, and stays as the package brought it.
const off = ".off"

// Enabled divides services into those that are to run and the names of those that are switched off.
func Enabled(folder string, services []Manifest) (on []Manifest, disabled []string) {
	for _, service := range services {
		if _, err := os.Lstat(filepath.Join(folder, service.Name+off)); err == nil {
			disabled = append(disabled, service.Name)
		} else {
			on = append(on, service)
		}
	}
	return on, disabled
}

// Switch turns services on or off for this and every later start; all of them must be there, or nothing changes.
func Switch(folder string, services []Manifest, names []string, on bool) error {
	if len(names) == 0 {
		return errors.New("which one? name a service")
	}
	there := map[string]bool{}
	for _, service := range services {
		there[service.Name] = true
	}
	for _, name := range names {
		if !there[name] {
			return fmt.Errorf("there is no service %q; `initctl status` lists them", name)
		}
	}
	for _, name := range names {
		mark := filepath.Join(folder, name+off)
		if on {
			if err := os.Remove(mark); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		} else if err := os.WriteFile(mark, nil, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// reload reads everything anew, starts what is new or was switched on, stops what is gone or was switched off.
func reload(supervisor *Supervisor) string {
	manifests, problems := LoadServices(manifestFolder, runitFolder)
	on, _ := Enabled(manifestFolder, manifests)
	supervisor.Load(on)
	var text strings.Builder
	for _, problem := range problems {
		fmt.Fprintln(&text, problem)
	}
	return text.String()
}

// switchServices carries out `initctl enable` and `disable`.
func switchServices(supervisor *Supervisor, names []string, on bool) (string, error) {
	manifests, _ := LoadServices(manifestFolder, runitFolder)
	if err := Switch(manifestFolder, manifests, names, on); err != nil {
		return "", err
	}
	return reload(supervisor), nil
}

// statusOfAll also lists what is switched off.
func statusOfAll(supervisor *Supervisor) (string, error) {
	text, err := supervisor.Do("status", nil)
	manifests, _ := LoadServices(manifestFolder, runitFolder)
	_, disabled := Enabled(manifestFolder, manifests)
	for _, name := range disabled {
		text += fmt.Sprintf("%-20s off\n", name)
	}
	return text, err
}
