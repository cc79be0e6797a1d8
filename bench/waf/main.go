// Command waf measures the managed rule groups: what they detect of the regression
// corpus of the OWASP Core Rule Set and what they block wrongly, beside Coraza and
// libmodsecurity with the same rule set at paranoia level 1. It prints the tables of
// docs/waf-detection.md:
//
//	go run -modfile=bench/waf/compare.mod bench/waf/*.go [-times] [-misses CATEGORY] [-prose] [-alone]
//
// What is compared is not among the dependencies of Gatehouse: compare.mod adds it;
// libmodsecurity is compared where a C compiler finds it (libmodsecurity-dev). Without those
// files, the command only says so.
package main

import "log"

// compare is set by the files that need compare.mod.
var compare = func() error {
	log.Fatal("run it as: go run -modfile=bench/waf/compare.mod bench/waf/*.go")
	return nil
}

func main() {
	if err := compare(); err != nil {
		log.Fatal(err)
	}
}
