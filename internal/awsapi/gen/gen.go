// Package gen holds the generated packages, one for each AWS service that Gatehouse
// speaks. The generator and the choice of services and operations are in
// internal/awsapi/generate; run go generate here after changing either.
package gen

//go:generate go run gatehouse/internal/awsapi/generate -models ../../../models -out .
