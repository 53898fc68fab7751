package main

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
)

// Config is /etc/goaudit.conf: what is left out, and which findings are known and meant.
type Config struct {
	Ignore []string
	Allow  []permission
}

type permission struct{ rule, pattern string }

// ReadConfig reads lines `ignore = PATTERN` and `allow = RULE PATTERN`; without the file nothing is left out.
func ReadConfig(file string) (Config, error) {
	var config Config
	opened, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return config, nil
	}
	if err != nil {
		return config, err
	}
	defer opened.Close()
	lines := bufio.NewScanner(opened)
	for number := 1; lines.Scan(); number++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		key, value, _ := strings.Cut(line, "=")
		words := strings.Fields(value)
		pattern := ""
		if len(words) > 0 {
			pattern = strings.TrimPrefix(words[len(words)-1], "/etc/")
		}
		_, bad := path.Match(pattern, "")
		switch key = strings.TrimSpace(key); {
		case bad != nil:
			return config, fmt.Errorf("%s:%d: %q is no pattern", file, number, pattern)
		case key == "ignore" && len(words) == 1:
			config.Ignore = append(config.Ignore, pattern)
		case key == "allow" && len(words) == 2 && !isRule(words[0]):
			return config, fmt.Errorf("%s:%d: there is no rule %q; `goaudit rules` lists them", file, number, words[0])
		case key == "allow" && len(words) == 2:
			config.Allow = append(config.Allow, permission{words[0], pattern})
		default:
			return config, fmt.Errorf("%s:%d: expected `ignore = PATTERN` or `allow = RULE PATTERN`", file, number)
		}
	}
	return config, lines.Err()
}

func (config Config) ignores(name string) bool {
	for _, pattern := range config.Ignore {
		if matched, _ := path.Match(pattern, name); matched {
			return true
		}
	}
	return false
}

func (config Config) allows(finding Finding) bool {
	for _, one := range config.Allow {
		if matched, _ := path.Match(one.pattern, finding.Path); matched && one.rule == finding.Rule {
			return true
		}
	}
	return false
}
