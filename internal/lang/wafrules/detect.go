package wafrules

import (
	"strings"

	"github.com/corazawaf/libinjection-go"
)

// isSQLi reports whether a value looks like SQL injection. A single word of letters,
// digits and underscores is one token, which no fingerprint of the detector describes.
func isSQLi(s string) bool {
	if isWord(s) {
		return false
	}
	found, _ := libinjection.IsSQLi(s)
	return found
}

// isXSS reports whether a value looks like cross-site scripting. The detector needs a
// tag, or an attribute with a value.
func isXSS(s string) bool {
	if strings.IndexByte(s, '<') < 0 && strings.IndexByte(s, '=') < 0 {
		return false
	}
	return libinjection.IsXSS(s)
}

func isWord(s string) bool {
	for i := 0; i < len(s); i++ {
		if !isWordByte(s[i]) {
			return false
		}
	}
	return true
}

// sqliHigh are the patterns that sensitivity HIGH adds to the detector's: what is suspicious
// in most applications, but not in all.
var sqliHigh = []string{
	`(?i)\bunion\b.{0,100}?\bselect\b`,
	`(?i)\bselect\b.{1,200}?\bfrom\b.{1,100}?(?:\bwhere\b|;|--|#|/\*|$)`,
	`(?i)\binsert\s+into\b.{1,100}?\bvalues\b`,
	`(?i)\b(?:delete\s+from|drop\s+(?:table|database|schema|view)|truncate\s+table|alter\s+table)\b`,
	`(?i)\bupdate\b.{1,100}?\bset\b.{1,100}?=`,
	`(?i)['"\)]\s*(?:or|and|xor|\|\||&&)\s*[\w'"\(]+\s*(?:=|<|>|\blike\b|\bin\b|\bis\b)`,
	`(?i)\b(?:or|and)\b\s+(?:\d+\s*[=<>]+\s*\d+|'[^']*'\s*=\s*'|"[^"]*"\s*=\s*")`,
	`(?i)\b(?:sleep|benchmark|pg_sleep|waitfor\s+delay|load_file|extractvalue|updatexml|xp_cmdshell|group_concat)\b\s*['"(]`,
	`(?i)\b(?:information_schema|sysobjects|syscolumns|pg_catalog|sqlite_master|all_tables)\b`,
	`(?i)['"]\s*(?:--|#|/\*)`,
	`(?i);\s*(?:select|insert|update|delete|drop|exec(?:ute)?|declare|shutdown|create)\b`,
	`(?i)/\*!\d*`,
	`(?i)\border\s+by\s+\d+\s*(?:--|#|/\*|$)`,
	`(?i)\bhaving\b\s+\d+\s*[=<>]`,
}
