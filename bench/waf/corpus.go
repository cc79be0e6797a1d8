//go:build ignore

package main

import (
	"encoding/base64"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/corazawaf/coraza-coreruleset/v4/tests"
	"github.com/goccy/go-yaml"
)

// A sample is one request of the regression corpus of the OWASP Core Rule Set.
type sample struct {
	category string // the folder: "942-APPLICATION-ATTACK-SQLI"
	id       string // "942100-3"
	attack   bool   // some rule is expected to match, rather than not to
	held     bool   // held out: nobody looked at it while rules were written since 2026-11-23
	method   string
	uri      string
	header   [][2]string
	body     string
}

// testFile is the part of a corpus file that matters here.
type testFile struct {
	RuleID int `yaml:"rule_id"`
	Tests  []struct {
		TestID int `yaml:"test_id"`
		Stages []struct {
			Input struct {
				Method         string            `yaml:"method"`
				URI            string            `yaml:"uri"`
				Data           *string           `yaml:"data"`
				Headers        map[string]string `yaml:"headers"`
				EncodedRequest string            `yaml:"encoded_request"`
			} `yaml:"input"`
			Output struct {
				Log struct {
					Expect   []int `yaml:"expect_ids"`
					NoExpect []int `yaml:"no_expect_ids"`
				} `yaml:"log"`
			} `yaml:"output"`
		} `yaml:"stages"`
	} `yaml:"tests"`
}

// readCorpus lists the samples of all request rules. Those about the parsing of HTTP itself,
// and raw requests, are left out: a gateway's parser refuses them before any firewall.
//
// An attack is a sample of which a rule of paranoia level 1 is expected to match; what
// only higher levels find is mostly single words and left out.
func readCorpus() ([]sample, error) {
	levels, err := paranoiaLevels()
	if err != nil {
		return nil, err
	}
	var all []sample
	err = fs.WalkDir(tests.FS, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, ".yaml") || !strings.HasPrefix(name, "REQUEST-") {
			return err
		}
		src, err := fs.ReadFile(tests.FS, name)
		if err != nil {
			return err
		}
		var f testFile
		if err := yaml.Unmarshal(src, &f); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, f.samples(strings.TrimPrefix(path.Dir(name), "REQUEST-"), levels)...)
		return nil
	})
	return all, err
}

func (f *testFile) samples(category string, levels map[int]int) []sample {
	var all []sample
	for _, t := range f.Tests {
		for _, st := range t.Stages {
			in := st.Input
			if in.EncodedRequest != "" {
				if _, err := base64.StdEncoding.DecodeString(in.EncodedRequest); err == nil {
					continue
				}
			}
			s := sample{category: category, id: fmt.Sprintf("%d-%d", f.RuleID, t.TestID), attack: len(st.Output.Log.Expect) > 0, held: t.TestID%2 == 0, method: in.Method, uri: in.URI}
			atLevel1 := slices.ContainsFunc(st.Output.Log.Expect, func(id int) bool { return levels[id] == 1 })
			if s.attack && !atLevel1 || !s.attack && len(st.Output.Log.NoExpect) == 0 {
				continue
			}
			if s.method == "" {
				s.method = "GET"
			}
			for k, v := range in.Headers {
				s.header = append(s.header, [2]string{k, v})
			}
			if in.Data != nil {
				s.body = *in.Data
				if _, ok := in.Headers["Content-Type"]; !ok {
					s.header = append(s.header, [2]string{"Content-Type", "application/x-www-form-urlencoded"})
				}
			}
			all = append(all, s)
		}
	}
	return all
}
