// The version of the API that this library serves, and the versions of generated code that it works with.

package grpc

// Version is the release of the gRPC API for Go that this library serves.
const Version = "1.85.0"

// Generated code refers to one of these constants, so that it fails to compile against a library that is too old for it. They are
// of no other use.
const (
	SupportPackageIsVersion3 = true
	SupportPackageIsVersion4 = true
	SupportPackageIsVersion5 = true
	SupportPackageIsVersion6 = true
	SupportPackageIsVersion7 = true
	SupportPackageIsVersion8 = true
	SupportPackageIsVersion9 = true
)

// userAgent is what every request says of its origin.
const userAgent = "grpc-go/" + Version
