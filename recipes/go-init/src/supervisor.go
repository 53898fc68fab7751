package main

import (
	"fmt"
	"sort"
	"strings"
	"syscall"
	"time"
)

// State of a service, as `initctl status` shows it.
type State string

const (
	StateWaiting  State = "waiting"  // for what it needs, or for its turn
	StateStarting State = "starting" // runs, but is not ready yet
	StateUp       State = "up"
	StateStopping State = "stopping"
	StateDown     State = "down"    // not wanted, or ended and not to be restarted
	StateBackoff  State = "backoff" // ended, and started again in a while
	StateFailed   State = "failed"  // ended badly and is not to be restarted
)

// Backoff is how long a service that keeps ending waits: First, doubled each time up to Last. One that ran for
// Healthy begins anew.
type Backoff struct {
	First, Last, Healthy time.Duration
}

type service struct {
	Manifest
	state    State
	wanted   bool
	again    bool // start once more after the stop in hand
	gone     bool // its manifest is no longer there: forget it once it is down
	pid      int
	finisher int // process id of the finish program
	since    time.Time
	restarts int
	delay    time.Duration
	lastExit string
	timer    *time.Timer
}

func (s *service) running() bool { return s.pid != 0 || s.finisher != 0 }

// Supervisor owns all services. Its loop is the only one that touches them or starts processes, so nothing needs a
// lock, and the end of a process is never seen before its beginning.
type Supervisor struct {
	services map[string]*service
	events   chan func()
	spawn    func(Manifest, func()) (int, error)
	backoff  Backoff
	log      func(format string, args ...any)
	leaving  bool
	done     chan struct{}
}

func NewSupervisor(backoff Backoff, log func(string, ...any)) *Supervisor {
	return &Supervisor{
		services: map[string]*service{},
		events:   make(chan func()),
		spawn:    spawn,
		backoff:  backoff,
		log:      log,
		done:     make(chan struct{}),
	}
}

// Run handles events until everything is down after Shutdown.
func (sup *Supervisor) Run() {
	for !sup.leaving || sup.anyRunning() {
		(<-sup.events)()
		sup.settle()
	}
	close(sup.done)
}

// post hands an event to the loop; once the loop has ended nobody is interested.
func (sup *Supervisor) post(event func()) {
	select {
	case sup.events <- event:
	case <-sup.done:
	}
}

// Load makes the given services the ones that are known: new ones start, those that are gone stop, and those that changed take the
// new manifest from their next start on.
func (sup *Supervisor) Load(manifests []Manifest) {
	sup.post(func() { sup.load(manifests) })
}

func (sup *Supervisor) load(manifests []Manifest) {
	possible, problems := withoutImpossible(manifests)
	for _, problem := range problems {
		sup.log("%v", problem)
	}
	named := map[string]bool{}
	for _, manifest := range possible {
		named[manifest.Name] = true
		if known, there := sup.services[manifest.Name]; there {
			known.Manifest = manifest
			known.gone = false
		} else {
			sup.services[manifest.Name] = &service{Manifest: manifest, state: StateWaiting, wanted: true, since: time.Now()}
		}
	}
	for name, known := range sup.services {
		if !named[name] {
			known.gone, known.wanted, known.again = true, false, false
		}
	}
}

// Shutdown stops everything in the reverse of the order in which it started; Run returns when it is done.
func (sup *Supervisor) Shutdown() {
	sup.post(func() {
		sup.leaving = true
		for _, s := range sup.services {
			s.wanted, s.again = false, false
		}
	})
}

// Exited tells that a child ended, ours or an orphan that was given to us.
func (sup *Supervisor) Exited(pid int, status syscall.WaitStatus) {
	sup.post(func() {
		for _, s := range sup.services {
			switch pid {
			case s.pid:
				sup.ended(s, status)
			case s.finisher:
				s.finisher = 0
				sup.restIfStopping(s)
			}
		}
	})
}

func (sup *Supervisor) anyRunning() bool {
	for _, s := range sup.services {
		if s.running() {
			return true
		}
	}
	return false
}

// settle starts and stops what can be started and stopped now.
func (sup *Supervisor) settle() {
	for changed := true; changed; {
		changed = false
		for _, s := range sup.sorted() {
			switch {
			case s.gone && !s.running():
				sup.cancel(s)
				delete(sup.services, s.Name)
				changed = true
			case s.wanted && s.state == StateWaiting && sup.mayStart(s):
				sup.start(s)
				changed = true
			case !s.wanted && s.state != StateStopping && s.state != StateDown && s.state != StateFailed && sup.mayStop(s):
				sup.stop(s)
				changed = true
			}
		}
	}
}

func (sup *Supervisor) sorted() []*service {
	list := make([]*service, 0, len(sup.services))
	for _, s := range sup.services {
		list = append(list, s)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Name < list[j].Name })
	return list
}

func (sup *Supervisor) mayStart(s *service) bool {
	for _, name := range s.Needs {
		if needed, there := sup.services[name]; !there || needed.state != StateUp {
			return false
		}
	}
	for _, name := range s.After {
		other, there := sup.services[name]
		if there && other.wanted && (other.state == StateWaiting || other.state == StateStarting) {
			return false
		}
	}
	return true
}

// mayStop keeps a service up while something that is still running was started after it.
func (sup *Supervisor) mayStop(s *service) bool {
	for _, other := range sup.services {
		if other == s || !other.running() || other.wanted {
			continue
		}
		for _, name := range before(other.Manifest) {
			if name == s.Name {
				return false
			}
		}
	}
	return true
}

func (sup *Supervisor) start(s *service) {
	sup.cancel(s)
	pid, err := sup.spawn(s.Manifest, func() { sup.post(func() { sup.ready(s) }) })
	s.since = time.Now()
	if err != nil {
		s.lastExit = err.Error()
		sup.log("%s: %v", s.Name, err)
		sup.again(s, s.Restart != RestartNever)
		return
	}
	s.pid = pid
	s.state = StateUp
	if s.Oneshot || s.NotifyFD >= 0 {
		s.state = StateStarting
	}
}

func (sup *Supervisor) ready(s *service) {
	if s.state == StateStarting && s.pid != 0 {
		s.state = StateUp
	}
}

func (sup *Supervisor) stop(s *service) {
	sup.cancel(s)
	if !s.running() {
		sup.rest(s)
		return
	}
	s.state = StateStopping
	s.since = time.Now()
	if s.pid == 0 {
		return
	}
	pid := s.pid
	signalGroup(pid, s.StopSignal)
	s.timer = time.AfterFunc(s.StopTimeout, func() {
		sup.post(func() {
			if s.pid == pid {
				sup.log("%s did not stop within %v: killed", s.Name, s.StopTimeout)
				signalGroup(pid, syscall.SIGKILL)
			}
		})
	})
}

// ended handles the end of a service's main process.
func (sup *Supervisor) ended(s *service, status syscall.WaitStatus) {
	sup.cancel(s)
	// What the service left behind of its own session goes with it.
	signalGroup(s.pid, syscall.SIGKILL)
	s.pid = 0
	s.lastExit = describe(status)
	good := status.Exited() && status.ExitStatus() == 0
	if s.state == StateStopping {
		sup.finish(s, status)
		return
	}
	if s.Oneshot && good {
		s.state = StateUp
		s.since = time.Now()
		return
	}
	sup.log("%s %s", s.Name, s.lastExit)
	restart := s.Restart == RestartAlways || (s.Restart == RestartOnFailure && !good)
	if !restart && good {
		s.wanted = false
	}
	sup.again(s, restart)
	sup.finish(s, status)
}

// finish runs the program that cleans up after a service; the service rests when that ended.
func (sup *Supervisor) finish(s *service, status syscall.WaitStatus) {
	if len(s.Finish) > 0 {
		code := -1
		if status.Exited() {
			code = status.ExitStatus()
		}
		cleaner := s.Manifest
		cleaner.Command = append(append([]string{}, s.Finish...), fmt.Sprint(code), fmt.Sprint(uint32(status)))
		cleaner.NotifyFD = -1
		if pid, err := sup.spawn(cleaner, func() {}); err == nil {
			s.finisher = pid
			return
		}
	}
	sup.restIfStopping(s)
}

// restIfStopping leaves alone what ended by itself: how it goes on is settled already.
func (sup *Supervisor) restIfStopping(s *service) {
	if s.state == StateStopping {
		sup.rest(s)
	}
}

// again plans the next start of a service that ended without being told to.
func (sup *Supervisor) again(s *service, restart bool) {
	if !restart {
		s.state = StateFailed
		if !s.wanted {
			s.state = StateDown
		}
		return
	}
	if time.Since(s.since) >= sup.backoff.Healthy || s.delay == 0 {
		s.delay = sup.backoff.First
	} else if s.delay *= 2; s.delay > sup.backoff.Last {
		s.delay = sup.backoff.Last
	}
	s.state = StateBackoff
	s.restarts++
	s.timer = time.AfterFunc(s.delay, func() {
		sup.post(func() {
			if s.state == StateBackoff && s.finisher == 0 {
				s.state = StateWaiting
			} else if s.state == StateBackoff {
				sup.again(s, true)
			}
		})
	})
}

// rest is reached when nothing of a service that was told to stop runs any more.
func (sup *Supervisor) rest(s *service) {
	s.state = StateDown
	s.since = time.Now()
	if s.again && !sup.leaving {
		s.again, s.wanted = false, true
	}
	if s.wanted {
		s.state = StateWaiting
	}
}

func (sup *Supervisor) cancel(s *service) {
	if s.timer != nil {
		s.timer.Stop()
		s.timer = nil
	}
}

func signalGroup(pid int, signal syscall.Signal) {
	// Each service leads a session, so its process group has its number.
	_ = syscall.Kill(-pid, signal)
}

func describe(status syscall.WaitStatus) string {
	if status.Signaled() {
		return "ended by signal " + strings.ToUpper(status.Signal().String())
	}
	return fmt.Sprintf("ended with status %d", status.ExitStatus())
}
