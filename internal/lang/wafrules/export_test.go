package wafrules

import "github.com/corazawaf/libinjection-go"

func plainSQLi(s string) bool { found, _ := libinjection.IsSQLi(s); return found }
func plainXSS(s string) bool  { return libinjection.IsXSS(s) }
