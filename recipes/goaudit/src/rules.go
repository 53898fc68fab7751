package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

// Finding is a rule that a path breaks.
type Finding struct {
	Rule, Path, What string
}

// rules maps each rule to what it demands.
var rules = map[string]string{
	"world-writable":  "nothing may be written by everybody",
	"group-writable":  "nothing may be written by a group other than root's",
	"foreign-owner":   "everything belongs to root",
	"set-id":          "no program runs as another user",
	"secret-readable": "shadow files and private keys are read by their owner, or by a group, alone",
	"empty-password":  "every account that may log in has a password or a lock",
	"second-root":     "one account alone has the user number 0",
	"duplicate-user":  "no two accounts share a name",
	"bad-account":     "every line of passwd and shadow has its fields",
	"weak-sshd":       "sshd takes no empty passwords, and root logs in by key alone",
}

func isRule(name string) bool { return rules[name] != "" }

// Judge applies all rules to what is in a folder.
func Judge(folder string, snapshot Snapshot, config Config) ([]Finding, error) {
	var all []Finding
	for _, name := range snapshot.sorted() {
		all = append(all, judgeEntry(name, snapshot[name])...)
	}
	for _, read := range []struct {
		name  string
		judge func(string) []Finding
	}{{"passwd", judgePasswd}, {"shadow", judgeShadow}, {"ssh/sshd_config", judgeSSH}} {
		if !snapshot[read.name].Mode.IsRegular() || snapshot[read.name].Content == "" {
			continue
		}
		content, err := os.ReadFile(filepath.Join(folder, read.name))
		if err != nil {
			return nil, err
		}
		all = append(all, read.judge(string(content))...)
	}
	kept := all[:0]
	for _, finding := range all {
		if !config.allows(finding) {
			kept = append(kept, finding)
		}
	}
	sort.SliceStable(kept, func(i, j int) bool { return kept[i].Path < kept[j].Path })
	return kept, nil
}

func judgeEntry(name string, entry Entry) []Finding {
	if entry.Mode&fs.ModeSymlink != 0 {
		return nil
	}
	var findings []Finding
	find := func(rule, format string, args ...any) {
		findings = append(findings, Finding{rule, name, fmt.Sprintf(format, args...)})
	}
	mode := entry.Mode.Perm()
	sticky := entry.Mode.IsDir() && entry.Mode&fs.ModeSticky != 0
	if mode&0o002 != 0 && !sticky {
		find("world-writable", "everybody may write it (%s)", entry.Mode)
	}
	if mode&0o020 != 0 && entry.GID != 0 {
		find("group-writable", "group %d may write it (%s)", entry.GID, entry.Mode)
	}
	if entry.UID != 0 {
		find("foreign-owner", "belongs to user %d", entry.UID)
	}
	if entry.Mode.IsRegular() && entry.Mode&(fs.ModeSetuid|fs.ModeSetgid) != 0 {
		find("set-id", "runs as its owner or group (%s)", entry.Mode)
	}
	if entry.Mode.IsRegular() && isSecret(name) && mode&0o004 != 0 {
		find("secret-readable", "everybody may read it (%s)", entry.Mode)
	}
	return findings
}

func isSecret(name string) bool {
	base := filepath.Base(name)
	switch strings.TrimRight(base, "-") {
	case "shadow", "gshadow":
		return true
	}
	key := strings.HasPrefix(base, "ssh_host_") && strings.HasSuffix(base, "_key")
	return key || strings.HasSuffix(base, ".key") || strings.HasPrefix(name, "ssl/private/") || strings.HasPrefix(name, "dropbear/dropbear_")
}

func judgePasswd(text string) []Finding {
	var findings []Finding
	seen := map[string]bool{}
	for _, line := range lines(text) {
		fields := strings.Split(line, ":")
		switch {
		case len(fields) != 7 || fields[0] == "":
			findings = append(findings, Finding{"bad-account", "passwd", fmt.Sprintf("%q does not have seven fields", line)})
			continue
		case seen[fields[0]]:
			findings = append(findings, Finding{"duplicate-user", "passwd", fields[0] + " is there twice"})
		case fields[2] == "0" && fields[0] != "root":
			findings = append(findings, Finding{"second-root", "passwd", fields[0] + " has the user number 0"})
		}
		if fields[1] == "" {
			findings = append(findings, Finding{"empty-password", "passwd", fields[0] + " logs in without a password"})
		}
		seen[fields[0]] = true
	}
	return findings
}

func judgeShadow(text string) []Finding {
	var findings []Finding
	for _, line := range lines(text) {
		fields := strings.Split(line, ":")
		// The line itself holds a password's hash, so it is not repeated.
		if len(fields) != 9 || fields[0] == "" {
			findings = append(findings, Finding{"bad-account", "shadow", "a line does not have nine fields"})
		} else if fields[1] == "" {
			findings = append(findings, Finding{"empty-password", "shadow", fields[0] + " logs in without a password"})
		}
	}
	return findings
}

// judgeSSH reads the first word on each matter, as sshd does; what stands below Match counts as well.
func judgeSSH(text string) []Finding {
	var findings []Finding
	for _, line := range lines(text) {
		words := strings.Fields(strings.Replace(line, "=", " ", 1))
		if len(words) < 2 || strings.HasPrefix(words[0], "#") {
			continue
		}
		key, value := strings.ToLower(words[0]), strings.ToLower(words[1])
		if key == "permitrootlogin" && value == "yes" || key == "permitemptypasswords" && value == "yes" {
			findings = append(findings, Finding{"weak-sshd", "ssh/sshd_config", words[0] + " " + words[1]})
		}
	}
	return findings
}

func lines(text string) []string {
	var list []string
	for _, line := range strings.Split(text, "\n") {
		if line = strings.TrimSpace(line); line != "" {
			list = append(list, line)
		}
	}
	return list
}
