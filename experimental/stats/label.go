// The label that an application gives to the metrics of its RPCs (gRFC A108).

package stats

import "context"

type customLabelKey struct{}

// NewContextWithCustomLabel returns a context whose RPCs have label as the value of grpc.client.call.custom in their metrics.
func NewContextWithCustomLabel(ctx context.Context, label string) context.Context {
	return context.WithValue(ctx, customLabelKey{}, label)
}

// CustomLabelFromContext returns the label that NewContextWithCustomLabel has set, "" if none.
func CustomLabelFromContext(ctx context.Context) string {
	label, _ := ctx.Value(customLabelKey{}).(string)
	return label
}
