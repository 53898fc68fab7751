package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The reaper takes every child of the test process, so there is one for all tests.
var (
	current   *Supervisor
	currentMu sync.Mutex
	reaping   sync.Once
)

func supervise(t *testing.T, services ...Manifest) *Supervisor {
	t.Helper()
	sup := NewSupervisor(Backoff{First: 10 * time.Millisecond, Last: 40 * time.Millisecond, Healthy: time.Hour}, t.Logf)
	currentMu.Lock()
	current = sup
	currentMu.Unlock()
	reaping.Do(func() {
		go Reap(func(pid int, status syscall.WaitStatus) {
			currentMu.Lock()
			sup := current
			currentMu.Unlock()
			sup.Exited(pid, status)
		})
	})
	go sup.Run()
	t.Cleanup(func() {
		go sup.Shutdown()
		select {
		case <-sup.done:
		case <-time.After(20 * time.Second):
			t.Error("the shutdown did not end")
		}
	})
	sup.Load(services)
	return sup
}

func shell(name, script string) Manifest {
	service := defaults(name)
	service.Command = []string{"/bin/sh", "-c", script}
	service.StopTimeout = 300 * time.Millisecond
	return service
}

func await(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for limit := time.Now().Add(15 * time.Second); time.Now().Before(limit); time.Sleep(5 * time.Millisecond) {
		if condition() {
			return
		}
	}
	t.Fatalf("never: %s", what)
}

func status(sup *Supervisor, name string) string {
	text, err := sup.Do("status", []string{name})
	if err != nil {
		return err.Error()
	}
	return text
}

func isIn(sup *Supervisor, name string, state State) func() bool {
	return func() bool { return strings.Fields(status(sup, name) + " -")[1] == string(state) }
}

func lines(path string) []string {
	content, _ := os.ReadFile(path)
	return strings.Fields(string(content))
}

func TestStartsInOrderOfDependencies(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	step := func(name string) Manifest {
		service := shell(name, fmt.Sprintf("sleep 0.05; echo %s >> %s", name, log))
		service.Oneshot, service.Restart = true, RestartNever
		return service
	}
	first, second, third := step("z-first"), step("m-second"), step("a-third")
	second.Needs = []string{"z-first"}
	third.After = []string{"m-second"}
	sup := supervise(t, third, second, first)
	await(t, "all up", isIn(sup, "a-third", StateUp))
	if got := strings.Join(lines(log), " "); got != "z-first m-second a-third" {
		t.Errorf("order %q", got)
	}
}

func TestWhatNeedsAFailureWaitsAndWhatComesAfterDoesNot(t *testing.T) {
	broken := shell("broken", "exit 3")
	broken.Oneshot, broken.Restart = true, RestartNever
	needing, after := shell("needing", "sleep 60"), shell("after", "sleep 60")
	needing.Needs = []string{"broken"}
	after.After = []string{"broken"}
	sup := supervise(t, broken, needing, after)
	await(t, "after is up", isIn(sup, "after", StateUp))
	await(t, "broken failed", isIn(sup, "broken", StateFailed))
	if got := status(sup, "needing"); !strings.Contains(got, "waiting") || !strings.Contains(got, "for broken") {
		t.Errorf("status %q", got)
	}
	if got := status(sup, "broken"); !strings.Contains(got, "ended with status 3") {
		t.Errorf("status %q", got)
	}
}

func TestRestartPolicy(t *testing.T) {
	folder := t.TempDir()
	run := func(name, end string, restart Restart) Manifest {
		service := shell(name, fmt.Sprintf("echo x >> %s/%s; %s", folder, name, end))
		service.Restart = restart
		return service
	}
	sup := supervise(t,
		run("always", "exit 0", RestartAlways),
		run("failing", "exit 1", RestartOnFailure),
		run("killed", "kill -9 $$", RestartOnFailure),
		run("content", "exit 0", RestartOnFailure),
		run("once", "exit 1", RestartNever))
	for _, name := range []string{"always", "failing", "killed"} {
		await(t, name+" runs four times", func() bool { return len(lines(filepath.Join(folder, name))) >= 4 })
	}
	await(t, "content is down", isIn(sup, "content", StateDown))
	await(t, "once failed", isIn(sup, "once", StateFailed))
	for _, name := range []string{"content", "once"} {
		if count := len(lines(filepath.Join(folder, name))); count != 1 {
			t.Errorf("%s ran %d times", name, count)
		}
	}
}

func TestReadinessByDescriptor(t *testing.T) {
	folder := t.TempDir()
	server := shell("server", fmt.Sprintf("while [ ! -e %s/go ]; do sleep 0.02; done; echo ready >&5; sleep 60", folder))
	server.NotifyFD = 5
	client := shell("client", "sleep 60")
	client.Needs = []string{"server"}
	sup := supervise(t, server, client)
	await(t, "server runs", isIn(sup, "server", StateStarting))
	if got := status(sup, "client"); !strings.Contains(got, "waiting") {
		t.Errorf("client did not wait: %q", got)
	}
	write(t, filepath.Join(folder, "go"), "", 0o644)
	await(t, "client is up", isIn(sup, "client", StateUp))
}

func TestStopsWhatNeedsItFirstAndStartsItAgain(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	daemon := func(name string, needs ...string) Manifest {
		service := shell(name, fmt.Sprintf("trap 'echo %s >> %s; exit 0' TERM; echo >&3; while :; do sleep 0.02; done", name, log))
		service.Needs = needs
		service.NotifyFD = 3
		service.StopTimeout = 10 * time.Second
		return service
	}
	sup := supervise(t, daemon("base"), daemon("middle", "base"), daemon("top", "middle"))
	await(t, "top is up", isIn(sup, "top", StateUp))
	if _, err := sup.Do("stop", []string{"base"}); err != nil {
		t.Fatal(err)
	}
	await(t, "base is down", isIn(sup, "base", StateDown))
	if got := strings.Join(lines(log), " "); got != "top middle base" {
		t.Errorf("stopped in the order %q", got)
	}
	if _, err := sup.Do("start", []string{"top"}); err != nil {
		t.Fatal(err)
	}
	await(t, "top is up again", isIn(sup, "top", StateUp))
	if _, err := sup.Do("restart", []string{"middle"}); err != nil {
		t.Fatal(err)
	}
	await(t, "top came back", func() bool { return len(lines(log)) == 5 && isIn(sup, "top", StateUp)() })
}

func TestWhatIgnoresItsSignalIsKilledWithItsChildren(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pid")
	stubborn := shell("stubborn", fmt.Sprintf("trap '' TERM; sleep 77 & echo $! > %s; while :; do sleep 0.02; done", file))
	sup := supervise(t, stubborn)
	await(t, "a child runs", func() bool { return len(lines(file)) == 1 })
	if _, err := sup.Do("stop", []string{"stubborn"}); err != nil {
		t.Fatal(err)
	}
	await(t, "stubborn is down", isIn(sup, "stubborn", StateDown))
	var child int
	fmt.Sscan(lines(file)[0], &child)
	await(t, "its child is gone", func() bool {
		content, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", child))
		return err != nil || strings.Contains(string(content), ") Z")
	})
}

func TestFinishRunsWithTheStatusBeforeTheNextStart(t *testing.T) {
	folder := t.TempDir()
	write(t, filepath.Join(folder, "svc", "run"), "#!/bin/sh\necho run >> ../log\nexit 7\n", 0o755)
	write(t, filepath.Join(folder, "svc", "finish"), "#!/bin/sh\necho finish-$1 >> ../log\n", 0o755)
	services, problems := LoadServices(filepath.Join(folder, "none"), folder)
	if len(services) != 1 || len(problems) != 0 {
		t.Fatalf("%v %v", services, problems)
	}
	supervise(t, services...)
	await(t, "two rounds", func() bool { return len(lines(filepath.Join(folder, "log"))) >= 4 })
	if got := strings.Join(lines(filepath.Join(folder, "log"))[:4], " "); got != "run finish-7 run finish-7" {
		t.Errorf("log %q", got)
	}
}

func TestReloadStartsWhatIsNewAndStopsWhatIsGone(t *testing.T) {
	sup := supervise(t, shell("old", "sleep 60"), shell("kept", "sleep 60"))
	await(t, "old is up", isIn(sup, "old", StateUp))
	await(t, "kept is up", isIn(sup, "kept", StateUp))
	before := strings.Split(status(sup, "kept"), ",")[0]
	sup.Load([]Manifest{shell("kept", "sleep 61"), shell("new", "sleep 60")})
	await(t, "new is up", isIn(sup, "new", StateUp))
	await(t, "old is forgotten", func() bool { return strings.Contains(status(sup, "old"), "there is no service") })
	if after := strings.Split(status(sup, "kept"), ",")[0]; after != before {
		t.Errorf("kept was restarted: %q, then %q", before, after)
	}
}

func TestControlSocket(t *testing.T) {
	sup := supervise(t, shell("one", "sleep 60"))
	path := filepath.Join(t.TempDir(), "run", "control")
	listener, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go Serve(listener, func(words []string) (string, error) { return sup.Do(words[0], words[1:]) })
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v %v", info.Mode(), err)
	}
	await(t, "one is up", func() bool { _, err := Ask(path, []string{"check", "one"}); return err == nil })
	text, err := Ask(path, []string{"status"})
	if err != nil || !strings.HasPrefix(text, "one ") || strings.Contains(text, "ok\n") {
		t.Errorf("%q %v", text, err)
	}
	for _, words := range [][]string{{"stop"}, {"explode", "one"}, {"start", "two"}, {"a b"}} {
		if _, err := Ask(path, words); err == nil {
			t.Errorf("%q was taken", words)
		}
	}
}
