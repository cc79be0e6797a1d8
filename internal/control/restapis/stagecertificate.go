package restapis

import (
	"errors"
	"strings"

	"gatehouse/internal/awsapi/gen/apigateway"
	"gatehouse/internal/control/operation"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

var acmCerts = store.Collection[model.Certificate]{Kind: model.KindCertificate}

// checkClientCertificate refuses what a stage cannot present: a client certificate that is not
// there, or an ACM certificate that is not issued yet or belongs elsewhere.
func checkClientCertificate(tx *store.Tx, owner store.Scope, id string) error {
	in := store.Scope{Account: owner.Account, Region: owner.Region}
	arn, isARN := model.ParseARN(id)
	if !isARN {
		_, err := clientCerts.Get(tx, in, id)
		return operation.OrElse(err, apigateway.NotFoundException("Invalid Client Certificate identifier specified"))
	}
	name, ok := strings.CutPrefix(arn.Resource, "certificate/")
	if !ok || arn.Service != "acm" || arn.Account != in.Account || arn.Region != in.Region {
		return badRequest("Invalid client certificate " + id + ": want a client certificate's id, or the ARN of an ACM certificate of account " + in.Account + " in " + in.Region)
	}
	cert, err := acmCerts.Get(tx, in, name)
	if err != nil {
		return operation.OrElse(err, apigateway.NotFoundException("Invalid Client Certificate identifier specified"))
	}
	if cert.Status != "ISSUED" {
		return badRequest("Invalid client certificate " + id + ": its status is " + cert.Status + ", want ISSUED")
	}
	return nil
}

// noteClientCertificate keeps the index of the stages that present a certificate. A deleted
// stage leaves it by itself.
func noteClientCertificate(tx *store.Tx, stage store.Key, before, after string) error {
	if before == after {
		return nil
	}
	name := stage.Parent + ":" + stage.ID
	if before != "" {
		if err := tx.Release(model.ClientCertificateUsers(stage.Account, stage.Region, before), name); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	if after == "" {
		return nil
	}
	return tx.Claim(model.ClientCertificateUsers(stage.Account, stage.Region, after), name, stage)
}
