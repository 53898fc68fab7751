// goaudit watches over /etc: it knows a state that was accepted, tells what became different, and judges by rules.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/syslog"
	"os"
	"os/signal"
	"path/filepath"
	"sort"
	"strconv"
	"syscall"
)

const usage = `usage: goaudit check|accept|watch|rules [-folder FOLDER] [-baseline FILE] [-config FILE] [-notify FD]

check   tells what differs from the accepted state and which rules are broken; ends with 1 where there is anything
accept  makes the present state the accepted one
watch   stays, and logs every change and every newly broken rule
rules   lists the rules
`

type settings struct {
	folder, baseline, config string
	notify                   int
}

func main() {
	if len(os.Args) < 2 {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	flags := flag.NewFlagSet("goaudit", flag.ExitOnError)
	flags.Usage = func() { fmt.Fprint(os.Stderr, usage) }
	var given settings
	flags.StringVar(&given.folder, "folder", "/etc", "")
	flags.StringVar(&given.baseline, "baseline", "/var/lib/goaudit/baseline", "")
	flags.StringVar(&given.config, "config", "/etc/goaudit.conf", "")
	flags.IntVar(&given.notify, "notify", 0, "")
	// ExitOnError leaves nothing to return.
	_ = flags.Parse(os.Args[2:])
	commands := map[string]func(settings) (int, error){"check": check, "accept": accept, "watch": watch, "rules": listRules}
	command := commands[os.Args[1]]
	if command == nil || flags.NArg() > 0 {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	status, err := command(given)
	if err != nil {
		fmt.Fprintf(os.Stderr, "goaudit: %v\n", err)
		os.Exit(2)
	}
	os.Exit(status)
}

func listRules(settings) (int, error) {
	names := make([]string, 0, len(rules))
	for name := range rules {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		fmt.Printf("%-16s %s\n", name, rules[name])
	}
	return 0, nil
}

// state is the folder as it is now, judged.
func state(given settings) (Snapshot, []Finding, error) {
	config, err := ReadConfig(given.config)
	if err != nil {
		return nil, nil, err
	}
	now, err := Take(given.folder, config)
	if err != nil {
		return nil, nil, err
	}
	findings, err := Judge(given.folder, now, config)
	return now, findings, err
}

func accept(given settings) (int, error) {
	now, findings, err := state(given)
	if err != nil {
		return 0, err
	}
	if err := now.Save(given.baseline); err != nil {
		return 0, err
	}
	fmt.Printf("%d paths below %s are accepted; %d rules are broken\n", len(now), given.folder, len(findings))
	return 0, nil
}

func check(given settings) (int, error) {
	now, findings, err := state(given)
	if err != nil {
		return 0, err
	}
	before, err := Load(given.baseline)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("no state was accepted yet: look at %s, then `goaudit accept`", given.folder)
	}
	if err != nil {
		return 0, err
	}
	changes := Compare(before, now)
	report(os.Stdout, given.folder, changes, findings)
	if len(changes)+len(findings) > 0 {
		return 1, nil
	}
	fmt.Printf("%d paths below %s are as accepted\n", len(now), given.folder)
	return 0, nil
}

func report(output io.Writer, folder string, changes []Change, findings []Finding) {
	for _, change := range changes {
		fmt.Fprintf(output, "%s %s\n", shown(folder, change.Path), change.What)
	}
	for _, finding := range findings {
		fmt.Fprintf(output, "%s breaks %s: %s\n", shown(folder, finding.Path), finding.Rule, finding.What)
	}
}

// shown quotes names that would do something to a terminal or a log.
func shown(folder, name string) string {
	whole := filepath.Join(folder, name)
	if quoted := strconv.QuoteToASCII(whole); quoted != `"`+whole+`"` {
		return quoted
	}
	return whole
}

// watch logs to the system's log, or where there is none, to its output.
func watch(given settings) (int, error) {
	watcher, err := OpenWatcher(given.folder)
	if err != nil {
		return 0, err
	}
	var output io.Writer = os.Stdout
	if log, err := syslog.New(syslog.LOG_AUTH|syslog.LOG_NOTICE, "goaudit"); err == nil {
		output = log
	}
	before, known, err := state(given)
	if err != nil {
		return 0, err
	}
	// What happened while nobody watched.
	if accepted, err := Load(given.baseline); err == nil {
		report(output, given.folder, Compare(accepted, before), nil)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	report(output, given.folder, nil, known)
	if given.notify > 2 {
		_, _ = os.NewFile(uintptr(given.notify), "notify").WriteString("\n")
	}
	ending := make(chan os.Signal, 1)
	signal.Notify(ending, syscall.SIGTERM, syscall.SIGINT)
	for watcher.Wait(ending) {
		if err := watcher.cover(); err != nil {
			return 0, err
		}
		now, findings, err := state(given)
		if err != nil {
			fmt.Fprintf(output, "%v\n", err)
			continue
		}
		report(output, given.folder, Compare(before, now), newOnes(known, findings))
		before, known = now, findings
	}
	return 0, nil
}

func newOnes(known, findings []Finding) []Finding {
	old := map[Finding]bool{}
	for _, finding := range known {
		old[finding] = true
	}
	var list []Finding
	for _, finding := range findings {
		if !old[finding] {
			list = append(list, finding)
		}
	}
	return list
}
