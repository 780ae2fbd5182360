// What applications see of service configs.

package grpc

import (
	"google.golang.org/grpc/internal/serviceconfig"
	public "google.golang.org/grpc/serviceconfig"
)

// MethodConfig is what a service config says about a method.
//
// Deprecated: it is of no use to applications.
type MethodConfig = serviceconfig.MethodConfig

// ServiceConfig is what a service config says about methods.
//
// Deprecated: it is of no use to applications.
type ServiceConfig struct {
	public.Config

	// Methods holds the configuration by "/service/method", or "/service/" for all methods of a service.
	Methods map[string]MethodConfig
}
