// Runs h2spec against a gRPC server. What h2spec sends is turned into gRPC on the way, since a gRPC server refuses a GET request before
// it looks at the frames that are to be tested. Nothing else is touched.

// Command h2spec runs the cases of h2spec, a test suite for HTTP/2, against a server of this module. Arguments select cases: http2/5.1/9.
package main

import (
	"bytes"
	"encoding/binary"
	"flag"
	"io"
	"log"
	"net"
	"os"
	"time"

	"github.com/summerwind/h2spec"
	"github.com/summerwind/h2spec/config"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc"
	pb "google.golang.org/grpc/internal/testkit/stubs/grpc162"
)

// The server takes frames of up to 1 MiB, and h2spec sends one of that size without a look at its windows, so they are as large.
// Five of h2spec's header fields make a HEADERS frame that is too large, one does not.
const (
	maxFrameSize   = 1 << 20
	maxHeaderField = maxFrameSize / 4 // 7 bits a letter on the wire
)

// echo has the method that is called: it reads requests until there are no more, and then sends a message, so that DATA goes both ways.
type echo struct{ pb.UnimplementedEchoServer }

func (echo) Collect(stream grpc.ClientStreamingServer[pb.Request, pb.Response]) error {
	for {
		_, err := stream.Recv()
		if err == io.EOF {
			return stream.SendAndClose(&pb.Response{})
		}
		if err != nil {
			return err
		}
	}
}

func main() {
	log.SetFlags(0)
	flag.Parse()
	backend, frontend := listen(), listen()
	s := grpc.NewServer(grpc.InitialWindowSize(maxFrameSize), grpc.InitialConnWindowSize(maxFrameSize), grpc.MaxConcurrentStreams(100))
	pb.RegisterEchoServer(s, echo{})
	go s.Serve(backend)                           // until the process ends
	go forward(frontend, backend.Addr().String()) // until the process ends
	ok, err := h2spec.Run(&config.Config{
		Host:         "127.0.0.1",
		Port:         frontend.Addr().(*net.TCPAddr).Port,
		Path:         pb.Echo_Collect_FullMethodName,
		Timeout:      20 * time.Second,
		MaxHeaderLen: maxHeaderField,
		Strict:       true,
		Sections:     flag.Args(),
	})
	if err != nil {
		log.Fatal(err)
	}
	if !ok {
		os.Exit(1)
	}
}

func listen() net.Listener {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	return lis
}

// forward connects each connection that lis accepts with the server. A client sees the end of what the server has sent, and never a reset
// because of what it sent itself and nobody has read.
func forward(lis net.Listener, server string) {
	for {
		client, err := lis.Accept()
		if err != nil {
			log.Fatal(err)
		}
		backend, err := net.Dial("tcp", server)
		if err != nil {
			log.Fatal(err)
		}
		go func() { // until the client closes
			defer client.Close()
			defer backend.Close()
			toServer(backend, client)
			io.Copy(io.Discard, client)
		}()
		go func() { // until either side closes
			io.Copy(client, backend)
			client.(*net.TCPConn).CloseWrite()
		}()
	}
}

const (
	preface        = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	frameHeaderLen = 9
	typeHeaders    = 0x1 // RFC 9113 §6.2
	flagEndHeaders = 0x4
	flagPadded     = 0x8
	flagPriority   = 0x20
	indexedGET     = 0x82 // RFC 7541, appendix A: ":method: GET", which most of h2spec's requests begin with
	indexedPOST    = 0x83 // RFC 7541, appendix A: ":method: POST"
)

// toServer copies the frames of a client. What is no frame is copied as well.
func toServer(dst io.Writer, src io.Reader) error {
	start := make([]byte, len(preface))
	n, err := io.ReadFull(src, start)
	if _, werr := dst.Write(start[:n]); err != nil || werr != nil {
		return err
	}
	if string(start) != preface {
		_, err = io.Copy(dst, src)
		return err
	}
	for {
		frame := make([]byte, frameHeaderLen)
		n, err := io.ReadFull(src, frame)
		if err != nil {
			dst.Write(frame[:n])
			return err
		}
		length := int64(binary.BigEndian.Uint32(frame) >> 8)
		if frame, err = appendN(frame, src, length); err == nil {
			frame = asGRPC(frame)
		}
		if _, werr := dst.Write(frame); err != nil || werr != nil {
			return err
		}
	}
}

func appendN(b []byte, src io.Reader, n int64) ([]byte, error) {
	rest, err := io.ReadAll(io.LimitReader(src, n))
	if err == nil && int64(len(rest)) < n {
		err = io.ErrUnexpectedEOF
	}
	return append(b, rest...), err
}

// asGRPC turns a whole HEADERS frame that begins a request into one of a gRPC request, by fields that no dynamic table sees.
func asGRPC(frame []byte) []byte {
	const plain = flagEndHeaders | flagPadded | flagPriority
	if frame[3] != typeHeaders || frame[4]&plain != flagEndHeaders || len(frame) == frameHeaderLen {
		return frame
	}
	if method := frame[frameHeaderLen]; method != indexedGET && method != indexedPOST {
		return frame
	}
	frame[frameHeaderLen] = indexedPOST
	var fields bytes.Buffer
	enc := hpack.NewEncoder(&fields)
	for _, f := range []hpack.HeaderField{{Name: "content-type", Value: "application/grpc"}, {Name: "te", Value: "trailers"}} {
		f.Sensitive = true // neither side's dynamic table changes
		if err := enc.WriteField(f); err != nil {
			log.Fatal(err)
		}
	}
	frame = append(frame, fields.Bytes()...)
	length := len(frame) - frameHeaderLen
	frame[0], frame[1], frame[2] = byte(length>>16), byte(length>>8), byte(length)
	return frame
}
