module google.golang.org/grpc

go 1.25.0

require (
	github.com/golang/glog v1.2.5
	github.com/golang/protobuf v1.5.4
	golang.org/x/net v0.58.0
	google.golang.org/genproto/googleapis/rpc v0.0.0-20260817212433-ac3dfec99bb1
	google.golang.org/protobuf v1.36.12
)

require golang.org/x/text v0.41.0 // indirect
