// Package clientcertificates does what API Gateway's operations on client certificates say:
// it generates the certificates by which backends of a stage recognise the gateway
// (backend-client-certificates, sections 1 and 2).
//
// The private key is sealed in the store beside the certificate and never shown. A
// ClientCertificates is safe for concurrent use.
package clientcertificates

import (
	"context"
	"errors"
	"time"

	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/awsapi/gen/apigateway"
	"gatehouse/internal/control/operation"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/control/patch"
	"gatehouse/internal/control/tags"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

// ClientCertificates serves the operations. Its field is set before the first call.
type ClientCertificates struct{ Store *store.Store }

var certificates = store.Collection[model.ClientCertificate]{Kind: model.KindClientCertificate}

func notFound() *awserr.Error {
	return apigateway.NotFoundException("Invalid client certificate ID specified")
}

// GenerateClientCertificate makes a certificate with a new key.
func (s *ClientCertificates) GenerateClientCertificate(ctx context.Context, in *apigateway.GenerateClientCertificateInput) (*apigateway.ClientCertificate, error) {
	if err := tags.Check(in.Tags, tags.ClientCertificate); err != nil {
		return nil, err
	}
	// The key is made before the transaction: it takes a while, and writers wait for each other.
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	var out *apigateway.ClientCertificate
	_, err = s.Store.Update(ctx, func(tx *store.Tx) error {
		created := tx.Now().UTC().Truncate(time.Second)
		text, err := selfSign(key, created)
		if err != nil {
			return err
		}
		c := model.ClientCertificate{
			ID: model.NewID(6), Description: opt.Value(in.Description), PEM: text,
			CreatedDate: created, ExpirationDate: created.Add(validity), Tags: opt.Map(in.Tags),
		}
		if err := certificates.Create(tx, operation.Scope(ctx), c.ID, c); err != nil {
			return err
		}
		sealed, err := keyPEM(key)
		if err != nil {
			return err
		}
		out = wire(c)
		return tx.PutSecret(certificates.Key(operation.Scope(ctx), c.ID), model.SecretPrivateKey, sealed)
	})
	return out, err
}

// GetClientCertificate returns a certificate without its key.
func (s *ClientCertificates) GetClientCertificate(ctx context.Context, in *apigateway.GetClientCertificateInput) (out *apigateway.ClientCertificate, err error) {
	err = s.Store.View(ctx, func(tx *store.Tx) error {
		c, err := certificates.Get(tx, operation.Scope(ctx), *in.ClientCertificateId)
		out = wire(c)
		return operation.OrElse(err, notFound())
	})
	return out, err
}

// GetClientCertificates lists certificates in order of creation, 25 at a time by default and
// at most 500.
func (s *ClientCertificates) GetClientCertificates(ctx context.Context, in *apigateway.GetClientCertificatesInput) (*apigateway.GetClientCertificatesOutput, error) {
	out := &apigateway.GetClientCertificatesOutput{}
	page := store.Page{Limit: 25, After: opt.Value(in.Position)}
	if in.Limit != nil && *in.Limit > 0 {
		page.Limit = min(int(*in.Limit), 500)
	}
	return out, s.Store.View(ctx, func(tx *store.Tx) error {
		found, next, err := certificates.List(tx, operation.Scope(ctx), page)
		if errors.Is(err, store.ErrCursor) {
			return apigateway.BadRequestException("Invalid position parameter specified")
		}
		out.Position = opt.NonZero(next)
		for _, it := range found {
			out.Items = append(out.Items, *wire(it.Value))
		}
		return err
	})
}

// UpdateClientCertificate changes a certificate's description.
func (s *ClientCertificates) UpdateClientCertificate(ctx context.Context, in *apigateway.UpdateClientCertificateInput) (out *apigateway.ClientCertificate, err error) {
	_, err = s.Store.Update(ctx, func(tx *store.Tx) error {
		it, err := certificates.Item(tx, operation.Scope(ctx), *in.ClientCertificateId)
		if err != nil {
			return operation.OrElse(err, notFound())
		}
		for _, o := range patch.Operations(in.PatchOperations) {
			if o.Path != "/description" {
				return patch.InvalidPath(o.Path)
			}
			if err := o.Only("replace"); err != nil {
				return err
			}
			it.Value.Description = o.Value
		}
		out = wire(it.Value)
		return certificates.Replace(tx, it)
	})
	return out, err
}

// DeleteClientCertificate deletes a certificate that no stage presents.
func (s *ClientCertificates) DeleteClientCertificate(ctx context.Context, in *apigateway.DeleteClientCertificateInput) (*apigateway.DeleteClientCertificateOutput, error) {
	id := *in.ClientCertificateId
	_, err := s.Store.Update(ctx, func(tx *store.Tx) error {
		if _, err := certificates.Get(tx, operation.Scope(ctx), id); err != nil {
			return operation.OrElse(err, notFound())
		}
		user, err := stageWith(tx, operation.Scope(ctx), id)
		if err != nil {
			return err
		}
		if user != "" {
			return apigateway.ConflictException("Cannot delete client certificate '" + id + "', is referenced in stage: " + user)
		}
		return certificates.Delete(tx, operation.Scope(ctx), id) // with its key
	})
	return nil, err
}

// stageWith names a stage that presents a certificate as "{api}:{stage}", "" for none.
func stageWith(tx *store.Tx, in store.Scope, id string) (string, error) {
	users, err := tx.Holders(model.ClientCertificateUsers(in.Account, in.Region, id), 1)
	if err != nil || len(users) == 0 {
		return "", err
	}
	return users[0].Parent + ":" + users[0].ID, nil
}

func wire(c model.ClientCertificate) *apigateway.ClientCertificate {
	return &apigateway.ClientCertificate{
		ClientCertificateId: &c.ID, Description: opt.NonZero(c.Description), PemEncodedCertificate: &c.PEM,
		CreatedDate: &c.CreatedDate, ExpirationDate: &c.ExpirationDate, Tags: opt.Map(c.Tags),
	}
}
