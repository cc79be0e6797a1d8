package migrate

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
)

// vpcLink, apiKey, usagePlan and domainName are what the management API shows of each.
type (
	vpcLink struct {
		ID          string            `json:"id,omitempty"`
		Name        string            `json:"name"`
		Description string            `json:"description,omitempty"`
		TargetARNs  []string          `json:"targetArns"`
		Tags        map[string]string `json:"tags,omitempty"`
	}
	apiKey struct {
		ID          string            `json:"id,omitempty"`
		Name        string            `json:"name,omitempty"`
		Description string            `json:"description,omitempty"`
		Value       string            `json:"value,omitempty"`
		CustomerID  string            `json:"customerId,omitempty"`
		Enabled     bool              `json:"enabled"`
		Tags        map[string]string `json:"tags,omitempty"`
	}
	usagePlan struct {
		ID          string            `json:"id,omitempty"`
		Name        string            `json:"name"`
		Description string            `json:"description,omitempty"`
		APIStages   []planStage       `json:"apiStages,omitempty"`
		Throttle    map[string]any    `json:"throttle,omitempty"`
		Quota       map[string]any    `json:"quota,omitempty"`
		ProductCode string            `json:"productCode,omitempty"`
		Tags        map[string]string `json:"tags,omitempty"`
	}
	planStage struct {
		APIID    string         `json:"apiId"`
		Stage    string         `json:"stage"`
		Throttle map[string]any `json:"throttle,omitempty"`
	}
	domainName struct {
		DomainName string `json:"domainName"`
	}
	mapping struct {
		BasePath  string `json:"basePath,omitempty"`
		RestAPIID string `json:"restApiId"`
		Stage     string `json:"stage,omitempty"`
	}
)

// vpcLinks makes the VPC links, which integrations name by their ids.
func (m *accountMover) vpcLinks(ctx context.Context) error {
	there, err := all[vpcLink](ctx, m.from, "/vpclinks")
	if err != nil {
		return err
	}
	here, err := all[vpcLink](ctx, m.to, "/vpclinks")
	if err != nil {
		return err
	}
	for _, l := range there {
		what := fmt.Sprintf("VPC link %s %q", l.ID, l.Name)
		old := l.ID
		if i := slices.IndexFunc(here, func(h vpcLink) bool { return h.Name == l.Name && slices.Equal(h.TargetARNs, l.TargetARNs) }); i >= 0 {
			m.links[old] = here[i].ID
			continue
		}
		l.ID = ""
		var made vpcLink
		if err := m.to.call(ctx, http.MethodPost, "/vpclinks", l, &made); err != nil {
			m.report.add(Refused, what, "%v", err)
			continue
		}
		m.links[old] = made.ID
		m.report.add(Differs, what, "as %s: calls go to the host of the integration's URI; where that does not resolve here, give the link the tag gatehouse:target", made.ID)
	}
	return nil
}

// usage brings API keys with their values, usage plans, and which key belongs to which plan.
func (m *accountMover) usage(ctx context.Context) error {
	keys, err := m.apiKeys(ctx)
	if err != nil {
		return err
	}
	there, err := all[usagePlan](ctx, m.from, "/usageplans")
	if err != nil {
		return err
	}
	here, err := all[usagePlan](ctx, m.to, "/usageplans")
	if err != nil {
		return err
	}
	for _, p := range there {
		what := fmt.Sprintf("usage plan %s %q", p.ID, p.Name)
		old := p.ID
		id := ""
		if i := slices.IndexFunc(here, func(h usagePlan) bool { return h.Name == p.Name }); i >= 0 {
			id = here[i].ID
			m.report.add(Differs, what, "a plan of that name is here already, as %s, and stays as it is", id)
		} else if id, err = m.plan(ctx, p, what); err != nil {
			m.report.add(Refused, what, "%v", err)
			continue
		}
		if err := m.planKeys(ctx, old, id, keys, what); err != nil {
			m.report.add(Refused, what, "%v", err)
		}
	}
	return ctx.Err()
}

func (m *accountMover) plan(ctx context.Context, p usagePlan, what string) (string, error) {
	p.APIStages = slices.DeleteFunc(p.APIStages, func(s planStage) bool {
		if m.stages[s.APIID+":"+s.Stage] {
			return false
		}
		m.report.add(NotCarried, what, "stage %s of API %s, which is not here", s.Stage, s.APIID)
		return true
	})
	p.ID = ""
	var made usagePlan
	if err := m.to.call(ctx, http.MethodPost, "/usageplans", p, &made); err != nil {
		return "", err
	}
	if p.Quota != nil {
		m.report.add(Differs, what, "carried as %s; what was used of the quota is not: it begins anew", made.ID)
	} else {
		m.report.add(Carried, what, "as %s", made.ID)
	}
	return made.ID, nil
}

// apiKeys brings the keys and returns their ids: there to here.
func (m *accountMover) apiKeys(ctx context.Context) (map[string]string, error) {
	there, err := all[apiKey](ctx, m.from, "/apikeys?includeValues=true")
	if err != nil {
		return nil, err
	}
	here, err := all[apiKey](ctx, m.to, "/apikeys?includeValues=true")
	if err != nil {
		return nil, err
	}
	ids := map[string]string{}
	for _, k := range there {
		what := fmt.Sprintf("API key %s %q", k.ID, k.Name)
		old := k.ID
		if i := slices.IndexFunc(here, func(h apiKey) bool { return h.Value == k.Value }); i >= 0 {
			ids[old] = here[i].ID
			continue
		}
		k.ID = ""
		var made apiKey
		if err := m.to.call(ctx, http.MethodPost, "/apikeys", k, &made); err != nil {
			m.report.add(Refused, what, "%v", err)
			continue
		}
		ids[old] = made.ID
		m.report.add(Carried, what, "as %s", made.ID)
	}
	return ids, nil
}

func (m *accountMover) planKeys(ctx context.Context, there, here string, keys map[string]string, what string) error {
	members, err := all[apiKey](ctx, m.from, "/usageplans/"+there+"/keys")
	if err != nil {
		return err
	}
	for _, k := range members {
		id := keys[k.ID]
		if id == "" {
			m.report.add(NotCarried, what, "its key %s, which is not here", k.ID)
			continue
		}
		err := m.to.call(ctx, http.MethodPost, "/usageplans/"+here+"/keys", map[string]string{"keyId": id, "keyType": "API_KEY"}, nil)
		if err != nil && !isCode(err, "ConflictException") {
			return err
		}
	}
	return nil
}

// domains brings the base path mappings of domain names that are here. The names themselves need
// certificates, whose keys stay where they are.
func (m *accountMover) domains(ctx context.Context) error {
	there, err := all[domainName](ctx, m.from, "/domainnames")
	if err != nil {
		return err
	}
	for _, d := range there {
		what := "domain name " + d.DomainName
		at := "/domainnames/" + url.PathEscape(d.DomainName)
		if err := m.to.call(ctx, http.MethodGet, at, nil, nil); err != nil {
			m.report.add(NotCarried, what, "its certificate's key stays where it is: import a certificate here, create the domain name, and run this again for its mappings")
			continue
		}
		mappings, err := all[mapping](ctx, m.from, at+"/basepathmappings")
		if err != nil {
			return err
		}
		for _, b := range mappings {
			err := m.to.call(ctx, http.MethodPost, at+"/basepathmappings", b, nil)
			switch {
			case err == nil:
				m.report.add(Carried, what, "base path %s to API %s stage %s", b.BasePath, b.RestAPIID, b.Stage)
			case !isCode(err, "ConflictException"):
				m.report.add(Refused, what, "base path %s: %v", b.BasePath, err)
			}
		}
	}
	return ctx.Err()
}

// account looks at what belongs to the account alone.
func (m *accountMover) account(ctx context.Context) error {
	certificates, err := all[struct {
		ID string `json:"clientCertificateId"`
	}](ctx, m.from, "/clientcertificates")
	if err != nil {
		return err
	}
	for _, c := range certificates {
		m.report.add(NotCarried, "client certificate "+c.ID, "its private key stays where it is: generate one here and give it to the backends")
	}
	return nil
}
