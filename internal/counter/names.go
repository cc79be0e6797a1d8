package counter

// UsageKey names the quota of one API key in one usage plan: the gateway's meter
// spends from it, and the control plane reports and extends it. A key that is taken out
// of a plan and put back finds its count.
func UsageKey(region, plan, key string) string { return "plan/" + region + "/" + plan + "/" + key }
