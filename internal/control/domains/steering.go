package domains

import (
	"context"
	"errors"
	"slices"
	"strings"

	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/control/operation"
	"gatehouse/internal/control/tags"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
	"gatehouse/internal/trust"
	"gatehouse/internal/trust/forward"
)

// The tags on domain names that steer mutual TLS.
func init() {
	tags.Define(strings.TrimPrefix(forward.Tag, tags.Prefix), tags.Rule{
		Resource: tags.DomainName, Check: func(value string) string {
			if _, err := forward.ParseForm(value); err != nil {
				return forward.Syntax + ": " + err.Error()
			}
			return ""
		},
	})
	for _, tag := range []string{
		trust.TagRevocation, trust.TagCRL, trust.TagDeny, trust.TagAllow, trust.TagSettings,
		trust.TagClient, trust.TagFollow, trust.TagCandidate,
	} {
		tags.Define(strings.TrimPrefix(tag, tags.Prefix), tags.Rule{
			Resource: tags.DomainName, Check: func(value string) string { return trust.CheckTag(tag, value) },
		})
	}
}

// maxSettings bounds a document of revocation settings, in octets.
const maxSettings = 256 << 10

var tagDocuments = store.Collection[model.TagDocument]{Kind: model.KindTagDocument}

// JudgeTags is the steering.Judge of domain names. It copies what tags name, as the call that
// sets them finds it, and refuses places that the caller, or the service on behalf of the domain
// name, may not read.
func (s *DomainNames) JudgeTags(ctx context.Context, tx *store.Tx, c tags.Change) (weakened []string, err error) {
	a, _ := model.ParseARN(c.ARN)
	it, err := getDomain(ctx, tx, strings.TrimPrefix(a.Resource, "/domainnames/"), nil)
	if err != nil {
		return nil, err
	}
	j := tagJudgement{s: s, ctx: ctx, tx: tx, c: c, domain: it.Value, owner: operation.Scope(ctx).Of(it.Value.DomainName)}
	before, after, err := j.settings()
	if err != nil {
		return nil, err
	}
	weakened = trust.Weaker(before, after)
	if c.Before[trust.TagClient] != "optional" && c.After[trust.TagClient] == "optional" {
		weakened = append(weakened, "clients without a certificate are let in")
	}
	return weakened, errors.Join(j.places(before, after), j.candidate(), j.follow())
}

// A tagJudgement judges one change of a domain name's tags.
type tagJudgement struct {
	s      *DomainNames
	ctx    context.Context
	tx     *store.Tx
	c      tags.Change
	domain model.DomainName
	owner  store.Scope
}

func badTag(tag string, err error) error {
	text := err.Error()
	if e := awserr.As(err); e != nil {
		text = e.Message
	}
	return badRequest("Invalid tag " + tag + ": " + text)
}

// settings returns the revocation settings before and after the change, and copies the
// document that the tag names, if this call names it.
func (j tagJudgement) settings() (before, after trust.Settings, err error) {
	kept, err := tagDocuments.Get(j.tx, j.owner, trust.TagSettings)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return before, after, err
	}
	if before, err = trust.ParseSettings(j.c.Before, kept.Data); err != nil {
		// What cannot be read any more refuses everybody: nothing could be stronger.
		before = trust.Settings{On: true, Mode: trust.HardFail}
	}
	place, ok := j.c.After[trust.TagSettings]
	switch {
	case !ok:
		if err := j.tx.Delete(tagDocuments.Key(j.owner, trust.TagSettings)); err != nil && !errors.Is(err, store.ErrNotFound) {
			return before, after, err
		}
	case j.c.Named[trust.TagSettings]:
		if kept, err = j.copyDocument(place); err != nil {
			return before, after, badTag(trust.TagSettings, err)
		}
		if err := tagDocuments.Put(j.tx, j.owner, trust.TagSettings, kept); err != nil {
			return before, after, err
		}
	}
	if after, err = trust.ParseSettings(j.c.After, kept.Data); err != nil {
		return before, after, badRequest("Invalid " + err.Error())
	}
	return before, after, nil
}

// copyDocument reads what a tag names, as the caller.
func (j tagJudgement) copyDocument(place string) (model.TagDocument, error) {
	uri, version := trust.SplitPlace(place)
	bucket, key, ok := parsePlace(uri)
	if !ok {
		return model.TagDocument{}, errors.New(place + " is not s3://bucket/key")
	}
	o, err := j.s.Objects.ReadObject(j.ctx, j.tx, "", bucket, key, version, maxSettings)
	return model.TagDocument{Data: o.Data, URI: uri, VersionID: o.Version, ETag: o.ETag, CopiedAt: j.s.now().UTC()}, err
}

// places checks that what will be followed can be read: by the service, which follows it, and
// by the caller, who must not learn of objects through others' rights.
func (j tagJudgement) places(before, after trust.Settings) error {
	for _, place := range after.Objects() {
		if slices.Contains(before.Objects(), place) && !j.c.New {
			continue
		}
		tag := trust.TagSettings
		for _, t := range []string{trust.TagCRL, trust.TagDeny, trust.TagAllow} {
			if j.c.After[t] == place {
				tag = t
			}
		}
		if err := j.mayFollow(tag, place); err != nil {
			return err
		}
	}
	return nil
}

func (j tagJudgement) mayFollow(tag, place string) error {
	uri, version := trust.SplitPlace(place)
	bucket, key, ok := parsePlace(uri)
	if !ok {
		return badTag(tag, errors.New(place+" is not s3://bucket/key"))
	}
	for _, domainARN := range []string{"", j.c.ARN} {
		if err := j.s.Objects.MayRead(j.ctx, j.tx, domainARN, bucket, key, version); err != nil {
			return badTag(tag, err)
		}
	}
	return nil
}

// candidate copies the trust store in roll-out.
func (j tagJudgement) candidate() error {
	if !j.c.Named[trust.TagCandidate] {
		return nil
	}
	place, ok := j.c.After[trust.TagCandidate]
	if !ok {
		return dropCandidate(j.tx, j.owner)
	}
	if j.domain.MutualTLS == nil {
		return badTag(trust.TagCandidate, errors.New("the domain name has no mutual TLS"))
	}
	uri, version := trust.SplitPlace(place)
	next, _, err := j.s.readTrustStore(j.ctx, j.tx, "", uri, version)
	if err != nil {
		return badTag(trust.TagCandidate, err)
	}
	current, err := trustStores.Get(j.tx, j.owner, model.CurrentTrustStore)
	if err != nil {
		return err
	}
	return putCandidate(j.tx, j.owner, current.PEM, *next)
}

// follow checks that the trust store's object can be followed.
func (j tagJudgement) follow() error {
	mode := j.c.After[trust.TagFollow]
	if m := j.domain.MutualTLS; j.c.Named[trust.TagFollow] && (mode == trust.Stage || mode == trust.Follow) && m != nil {
		if m.TruststoreVersion != "" {
			return badTag(trust.TagFollow, errors.New("the domain name names the version "+m.TruststoreVersion+" of its truststore: set truststoreVersion to \"\" to follow the object"))
		}
		return j.mayFollow(trust.TagFollow, m.TruststoreURI)
	}
	return nil
}
