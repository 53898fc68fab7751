package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestParseManifest(t *testing.T) {
	got, err := ParseManifest("web", strings.NewReader(`
# the web server
command = /usr/sbin/httpd -f "-h /srv/www data" it\'s
needs = network
after = clock  log
user = www
env = A=1
env = B=x y
notify = 4
stop-signal = SIGQUIT
stop-timeout = 2s
`))
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"/usr/sbin/httpd", "-f", "-h /srv/www data", "it's"}; !reflect.DeepEqual(got.Command, want) {
		t.Errorf("command %q, want %q", got.Command, want)
	}
	if !reflect.DeepEqual(got.After, []string{"clock", "log"}) || !reflect.DeepEqual(got.Environment, []string{"A=1", "B=x y"}) {
		t.Errorf("lists %q %q", got.After, got.Environment)
	}
	if got.Restart != RestartAlways || got.StopTimeout != 2*time.Second || got.NotifyFD != 4 {
		t.Errorf("%+v", got)
	}
}

func TestOneshotIsNotRestartedUnlessAsked(t *testing.T) {
	got, err := ParseManifest("clock", strings.NewReader("command = true\ntype = oneshot\n"))
	if err != nil || got.Restart != RestartNever {
		t.Fatalf("%v %v", got.Restart, err)
	}
	got, err = ParseManifest("clock", strings.NewReader("command = true\ntype = oneshot\nrestart = on-failure\n"))
	if err != nil || got.Restart != RestartOnFailure {
		t.Fatalf("%v %v", got.Restart, err)
	}
}

func TestParseManifestNamesLineAndKey(t *testing.T) {
	for text, want := range map[string]string{
		"":                                    "no command",
		"command":                             "1: expected key = value",
		"command = x\ncomand = y":             "2: comand: no such key",
		"command = x\ncommand = y":            "2: command is given twice",
		"command = 'x":                        "1: command: a quote",
		"command = x\\":                       "1: command: a quote or backslash",
		"command =":                           "1: command: expected a program",
		"command = x\nneeds = a/b":            `2: needs: "a/b" is not a name`,
		"command = x\nrestart = sometimes":    "2: restart: expected always",
		"command = x\ntype = forking":         "2: type: expected daemon",
		"command = x\ndirectory = srv":        "2: directory: expected an absolute path",
		"command = x\nnotify = 2":             "2: notify: expected a descriptor",
		"command = x\nstop-timeout = 10":      "2: stop-timeout: expected a time",
		"command = x\nstop-signal = CONT":     "2: stop-signal: expected TERM",
		"command = x\nenv = A":                "2: env: expected NAME=VALUE",
		"command = x\ntype=oneshot\nnotify=3": "a oneshot service is ready when it ends",
	} {
		_, err := ParseManifest("x", strings.NewReader(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", text, err, want)
		}
	}
	if _, err := ParseManifest("../x", strings.NewReader("command = x")); err == nil {
		t.Error("a name that leads elsewhere was taken")
	}
}

func TestLoadServicesLeavesOutWhatIsBroken(t *testing.T) {
	folder := t.TempDir()
	manifests, runit := filepath.Join(folder, "m"), filepath.Join(folder, "r")
	write(t, filepath.Join(manifests, "good.service"), "command = true\n", 0o644)
	write(t, filepath.Join(manifests, "bad.service"), "comand = true\n", 0o644)
	write(t, filepath.Join(manifests, "README"), "not a service", 0o644)
	write(t, filepath.Join(runit, "dropbear", "run"), "#!/bin/sh\n", 0o755)
	write(t, filepath.Join(runit, "dropbear", "finish"), "#!/bin/sh\n", 0o755)
	write(t, filepath.Join(runit, "idle", "notes"), "", 0o644)
	services, problems := LoadServices(manifests, runit)
	if len(services) != 2 || services[0].Name != "dropbear" || services[1].Name != "good" {
		t.Errorf("services %+v", services)
	}
	if !reflect.DeepEqual(services[0].Finish, []string{"./finish"}) {
		t.Errorf("finish %q", services[0].Finish)
	}
	if len(problems) != 2 || !strings.Contains(problems[0].Error(), "idle") || !strings.Contains(problems[1].Error(), "bad.service:1: comand") {
		t.Errorf("problems %v", problems)
	}
}

func TestSwitchedOff(t *testing.T) {
	folder := t.TempDir()
	write(t, filepath.Join(folder, "a.service"), "command = true\n", 0o644)
	write(t, filepath.Join(folder, "b.service"), "command = true\n", 0o644)
	services, _ := LoadServices(folder, filepath.Join(folder, "none"))
	if err := Switch(folder, services, []string{"a", "nowhere"}, false); err == nil || !strings.Contains(err.Error(), "nowhere") {
		t.Errorf("an unknown service: %v", err)
	}
	if on, disabled := Enabled(folder, services); len(on) != 2 || disabled != nil {
		t.Errorf("a mistake switched off %v", disabled)
	}
	for turn := 0; turn < 2; turn++ {
		if err := Switch(folder, services, []string{"a"}, false); err != nil {
			t.Fatal(err)
		}
	}
	services, problems := LoadServices(folder, filepath.Join(folder, "none"))
	on, disabled := Enabled(folder, services)
	if len(problems) != 0 || len(on) != 1 || on[0].Name != "b" || !reflect.DeepEqual(disabled, []string{"a"}) {
		t.Errorf("on %v, off %v, %v", on, disabled, problems)
	}
	for turn := 0; turn < 2; turn++ {
		if err := Switch(folder, services, []string{"a"}, true); err != nil {
			t.Fatal(err)
		}
	}
	if on, disabled := Enabled(folder, services); len(on) != 2 || disabled != nil {
		t.Errorf("switched on again, still off: %v", disabled)
	}
}

func TestImpossibleServicesAreNamed(t *testing.T) {
	service := func(name string, needs, after []string) Manifest {
		return Manifest{Name: name, Needs: needs, After: after}
	}
	kept, problems := withoutImpossible([]Manifest{
		service("a", []string{"b"}, nil),
		service("b", nil, []string{"c"}),
		service("c", []string{"a"}, nil),
		service("d", []string{"nowhere"}, nil),
		service("e", []string{"d"}, nil),
		service("f", nil, []string{"nowhere"}),
		service("g", []string{"f"}, nil),
	})
	var names []string
	for _, one := range kept {
		names = append(names, one.Name)
	}
	// Dropping a breaks the cycle, but c needed it, and b only came after c.
	if want := []string{"b", "f", "g"}; !reflect.DeepEqual(names, want) {
		t.Errorf("kept %q, want %q", names, want)
	}
	if len(problems) != 4 || !strings.Contains(problems[0].Error(), "a -> b -> c -> a") {
		t.Errorf("problems %v", problems)
	}
}

func FuzzParseManifest(f *testing.F) {
	f.Add("command = a 'b c' \"d\\\"\" \nneeds = x")
	f.Fuzz(func(t *testing.T, text string) {
		service, err := ParseManifest("x", strings.NewReader(text))
		if err == nil && len(service.Command) == 0 {
			t.Error("accepted without a command")
		}
	})
}

func write(t *testing.T, path, content string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
}
