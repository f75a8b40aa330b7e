// Tests with the Go SDK, over gRPC in both directions. Prints a line for each.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	dapr "github.com/dapr/go-sdk/client"
	"github.com/dapr/go-sdk/service/common"
	"github.com/dapr/go-sdk/service/grpc"
)

const patience = time.Minute

var (
	events = make(chan *common.TopicEvent, 100)
	boxed  = make(chan *common.TopicEvent, 100)
	ticks  = make(chan *common.BindingEvent, 1000)
	due    = make(chan *common.JobEvent, 100)
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	service, err := serve()
	if err != nil {
		return err
	}
	go func() {
		if err := service.Start(); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}()
	ctx := context.Background()
	client, err := connect()
	if err != nil {
		return err
	}
	defer client.Close()
	if err := client.Wait(ctx, patience); err != nil {
		return err
	}
	for _, test := range tests {
		if err := test.run(ctx, client); err != nil {
			fmt.Printf("failed %s: %s\n", test.name, strings.ReplaceAll(err.Error(), "\n", " "))
		} else {
			fmt.Printf("passed %s\n", test.name)
		}
	}
	fmt.Println("finished")
	return nil
}

// connect tries until the sidecar is there, which waits for this app.
func connect() (client dapr.Client, err error) {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if client, err = dapr.NewClientWithAddress("127.0.0.1:" + os.Getenv("DAPR_GRPC_PORT")); err == nil {
			return client, nil
		}
	}
	return nil, err
}

func serve() (common.Service, error) {
	service, err := grpc.NewService("127.0.0.1:" + os.Getenv("APP_PORT"))
	if err != nil {
		return nil, err
	}
	topic := func(topic string, into chan *common.TopicEvent) error {
		handle := func(_ context.Context, event *common.TopicEvent) (bool, error) {
			into <- event
			return false, nil
		}
		return service.AddTopicEventHandler(&common.Subscription{PubsubName: "pubsub", Topic: topic, Route: "/" + topic}, handle)
	}
	tick := func(_ context.Context, event *common.BindingEvent) ([]byte, error) {
		ticks <- event
		return nil, nil
	}
	report := func(_ context.Context, event *common.JobEvent) error {
		due <- event
		return nil
	}
	shout := func(_ context.Context, event *common.InvocationEvent) (*common.Content, error) {
		return &common.Content{Data: []byte(strings.ToUpper(string(event.Data))), ContentType: "text/plain"}, nil
	}
	return service, errors.Join(
		topic("events", events),
		topic("outbox", boxed),
		service.AddBindingInvocationHandler("ticks", tick),
		service.AddServiceInvocationHandler("shout", shout),
		service.AddJobEventHandler("report", report),
	)
}

// next is the next thing that comes; an error when nothing does.
func next[T any](from chan T) (T, error) {
	select {
	case item := <-from:
		return item, nil
	case <-time.After(patience):
		var none T
		return none, errors.New("nothing came")
	}
}

// expect is an error when two things differ.
func expect(what string, found, wanted any) error {
	if fmt.Sprint(found) != fmt.Sprint(wanted) {
		return fmt.Errorf("%s: %v, but it should be %v", what, found, wanted)
	}
	return nil
}

// refused is an error when there was none, or not one with this text.
func refused(err error, text string) error {
	if err == nil || !strings.Contains(strings.ToLower(err.Error()), text) {
		return fmt.Errorf("an error with %q was expected, not %v", text, err)
	}
	return nil
}
