//go:build ignore

package main

import (
	"io/fs"
	"regexp"
	"strconv"
	"strings"

	"github.com/corazawaf/coraza-coreruleset/v4"
)

var (
	ruleID = regexp.MustCompile(`\bid:(\d{6})\b`)
	level  = regexp.MustCompile(`paranoia-level/(\d)`)
)

// paranoiaLevels reads at which level each rule of the Core Rule Set acts.
func paranoiaLevels() (map[int]int, error) {
	levels := map[int]int{}
	return levels, fs.WalkDir(coreruleset.FS, "@owasp_crs", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, ".conf") {
			return err
		}
		src, err := fs.ReadFile(coreruleset.FS, name)
		if err != nil {
			return err
		}
		for _, rule := range strings.Split(string(src), "\nSec") {
			id, at := ruleID.FindStringSubmatch(rule), level.FindStringSubmatch(rule)
			if id != nil && at != nil {
				n, _ := strconv.Atoi(id[1])
				levels[n], _ = strconv.Atoi(at[1])
			}
		}
		return nil
	})
}
