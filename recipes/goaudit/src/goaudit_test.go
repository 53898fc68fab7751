package main

import (
	"bytes"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func write(t *testing.T, mode os.FileMode, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func take(t *testing.T, folder string) Snapshot {
	t.Helper()
	taken, err := Take(folder, Config{})
	if err != nil {
		t.Fatal(err)
	}
	return taken
}

func TestChanges(t *testing.T) {
	folder := t.TempDir()
	for _, name := range []string{"same", "content", "mode", "gone", "sub dir/deep\nline"} {
		write(t, 0o644, filepath.Join(folder, name), name)
	}
	if err := os.Symlink("same", filepath.Join(folder, "link")); err != nil {
		t.Fatal(err)
	}
	baseline := filepath.Join(t.TempDir(), "state", "baseline")
	if err := take(t, folder).Save(baseline); err != nil {
		t.Fatal(err)
	}
	before, err := Load(baseline)
	if err != nil {
		t.Fatal(err)
	}
	if changes := Compare(before, take(t, folder)); len(changes) != 0 {
		t.Fatalf("what was saved and loaded differs: %v", changes)
	}
	write(t, 0o644, filepath.Join(folder, "content"), "other")
	write(t, 0o600, filepath.Join(folder, "mode"), "mode")
	write(t, 0o644, filepath.Join(folder, "new"), "")
	os.Remove(filepath.Join(folder, "gone"))
	os.Remove(filepath.Join(folder, "link"))
	if err := os.Symlink("content", filepath.Join(folder, "link")); err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	report(&text, "/etc", Compare(before, take(t, folder)), nil)
	for _, want := range []string{
		"/etc/content content changed\n", "/etc/gone is gone\n", "/etc/link content changed\n",
		"/etc/mode mode was -rw-r--r--, is -rw-------\n", "/etc/new is new: -rw-r--r--",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%q is not in\n%s", want, text.String())
		}
	}
	if strings.Count(text.String(), "\n") != 5 {
		t.Errorf("more than what changed:\n%s", text.String())
	}
}

func TestDamagedBaseline(t *testing.T) {
	path := filepath.Join(t.TempDir(), "baseline")
	write(t, 0o600, path, "100644 0 0 \"\" \"a\"\nnonsense\n")
	if _, err := Load(path); err == nil || !strings.HasSuffix(err.Error(), "baseline:2: not a line of a baseline") {
		t.Errorf("got %v", err)
	}
}

// broken are states that each break exactly the rule they stand under; what belongs to the tester counts as root's.
func TestRules(t *testing.T) {
	good := "root:x:0:0:root:/root:/bin/sh\n"
	for rule, states := range map[string][]struct {
		path, text string
		mode       os.FileMode
	}{
		"world-writable":  {{"hosts", "", 0o666}, {"hosts", "", 0o646}},
		"set-id":          {{"tool", "", 0o4755&^0o4000 | os.ModeSetuid}},
		"secret-readable": {{"shadow", "root:*:1:0:9:7:::\n", 0o644}, {"ssh/ssh_host_rsa_key", "", 0o644}, {"tls/a.key", "", 0o604}, {"shadow-", "", 0o644}},
		"empty-password":  {{"shadow", "root::1:0:9:7:::\n", 0o600}, {"passwd", good + "bob::5:5::/:/bin/sh\n", 0o644}},
		"second-root":     {{"passwd", good + "toor:x:0:0::/:/bin/sh\n", 0o644}},
		"duplicate-user":  {{"passwd", good + good, 0o644}},
		"bad-account":     {{"passwd", good + "bob:x:5\n", 0o644}, {"shadow", "root\n", 0o600}},
		"weak-sshd":       {{"ssh/sshd_config", "PermitRootLogin yes\n", 0o600}, {"ssh/sshd_config", "permitemptypasswords=yes\n", 0o600}},
		"":                {{"ssh/sshd_config", "#PermitRootLogin yes\nPermitRootLogin prohibit-password\n", 0o600}, {"passwd", good, 0o644}, {"shadow", "root:!:1:0:9:7:::\n", 0o600}},
	} {
		for _, state := range states {
			folder := t.TempDir()
			write(t, state.mode, filepath.Join(folder, state.path), state.text)
			snapshot := take(t, folder)
			for name, entry := range snapshot {
				entry.UID, entry.GID = 0, 0
				snapshot[name] = entry
			}
			findings, err := Judge(folder, snapshot, Config{})
			if err != nil {
				t.Fatal(err)
			}
			var broken []string
			for _, finding := range findings {
				broken = append(broken, finding.Rule)
			}
			if got := strings.Join(broken, " "); got != rule {
				t.Errorf("%s %q %o: broke %q, want %q", state.path, state.text, state.mode, got, rule)
			}
			for name := range snapshot {
				if allowed, _ := Judge(folder, snapshot, Config{Allow: []permission{{rule, name}}}); name == state.path && len(allowed) != 0 {
					t.Errorf("%s is allowed and found all the same: %v", rule, allowed)
				}
			}
		}
	}
	for _, owner := range []Entry{{UID: 5}, {GID: 5, Mode: 0o664}} {
		if findings := judgeEntry("hosts", owner); len(findings) != 1 {
			t.Errorf("%+v: %v", owner, findings)
		}
	}
}

func TestConfig(t *testing.T) {
	file := filepath.Join(t.TempDir(), "goaudit.conf")
	write(t, 0o644, file, "# known\nignore = mtab\nallow = empty-password /etc/shadow\n")
	config, err := ReadConfig(file)
	if err != nil || !config.ignores("mtab") || !config.allows(Finding{Rule: "empty-password", Path: "shadow"}) {
		t.Errorf("%+v, %v", config, err)
	}
	for text, want := range map[string]string{
		"allow = empty-passwords shadow": `:1: there is no rule "empty-passwords"`,
		"\nignore":                       ":2: expected",
		"ignore = [":                     "is no pattern",
		"forbid = x":                     "expected",
	} {
		write(t, 0o644, file, text)
		if _, err := ReadConfig(file); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}

func TestNamesDoNothingToALog(t *testing.T) {
	if got := shown("/etc", "a\n\x1b[2Jb"); got != `"/etc/a\n\x1b[2Jb"` {
		t.Errorf("got %s", got)
	}
}

func TestWatcherSeesNewFolders(t *testing.T) {
	folder := t.TempDir()
	watcher, err := OpenWatcher(folder)
	if err != nil {
		t.Fatal(err)
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGALRM)
	timer := time.AfterFunc(20*time.Second, func() { stop <- syscall.SIGALRM })
	defer timer.Stop()
	write(t, 0o644, filepath.Join(folder, "sub", "file"), "one")
	if !watcher.Wait(stop) {
		t.Fatal("a new folder was not seen")
	}
	if err := watcher.cover(); err != nil {
		t.Fatal(err)
	}
	write(t, 0o644, filepath.Join(folder, "sub", "file"), "two")
	if !watcher.Wait(stop) {
		t.Fatal("a change below a new folder was not seen")
	}
}
