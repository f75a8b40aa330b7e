package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sort"

	dapr "github.com/dapr/go-sdk/client"
	"github.com/dapr/go-sdk/service/common"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

var tests = []struct {
	name string
	run  func(context.Context, dapr.Client) error
}{
	{"secrets", secrets},
	{"state", state},
	{"state_query", stateQuery},
	{"configuration", configuration},
	{"locks", locks},
	{"cryptography", cryptography},
	{"output_binding", outputBinding},
	{"input_binding", inputBinding},
	{"publishing", publishing},
	{"bulk_publishing", bulkPublishing},
	{"streaming", streaming},
	{"jobs", jobs},
	{"outbox", outbox},
	{"invocation", invocation},
	{"metadata", metadata},
}

func secrets(ctx context.Context, client dapr.Client) error {
	found, err := client.GetSecret(ctx, "secrets", "password", nil)
	if err != nil {
		return err
	}
	bulk, err := client.GetBulkSecret(ctx, "secrets", nil)
	if err != nil {
		return err
	}
	_, missing := client.GetSecret(ctx, "nobody", "password", nil)
	return errors.Join(
		expect("the secret", found["password"], "sesame"),
		expect("the inner secret", bulk["nested:inner"]["nested:inner"], "deep"),
		refused(missing, "nobody"),
	)
}

func state(ctx context.Context, client dapr.Client) error {
	if err := client.SaveState(ctx, "store", "one", []byte("1"), nil); err != nil {
		return err
	}
	found, err := client.GetState(ctx, "store", "one", nil)
	if err != nil {
		return err
	}
	wrong := client.SaveStateWithETag(ctx, "store", "one", []byte("2"), "wrong", nil)
	operations := []*dapr.StateOperation{
		{Type: dapr.StateOperationTypeUpsert, Item: &dapr.SetStateItem{Key: "two", Value: []byte("second")}},
		{Type: dapr.StateOperationTypeDelete, Item: &dapr.SetStateItem{Key: "one"}},
	}
	if err := client.ExecuteStateTransaction(ctx, "store", nil, operations); err != nil {
		return err
	}
	bulk, err := client.GetBulkState(ctx, "store", []string{"two"}, nil, 1)
	if err != nil {
		return err
	}
	return errors.Join(
		expect("the value", string(found.Value), "1"),
		refused(wrong, "etag"),
		expect("the second value", string(bulk[0].Value), "second"),
		client.DeleteState(ctx, "store", "two", nil),
	)
}

func stateQuery(ctx context.Context, client dapr.Client) error {
	_, err := client.QueryStateAlpha1(ctx, "store", `{"filter": {"EQ": {"n": 1}}}`, nil)
	return refused(err, "does not support querying")
}

func configuration(ctx context.Context, client dapr.Client) error {
	items, err := client.GetConfigurationItems(ctx, "configuration", []string{"color", "size"})
	if err != nil {
		return err
	}
	changes := make(chan string, 100)
	take := func(_ string, items map[string]*dapr.ConfigurationItem) { changes <- items["color"].Value }
	id, err := client.SubscribeConfigurationItems(ctx, "configuration", []string{"color"}, take)
	if err != nil {
		return err
	}
	fmt.Println("configure color blue")
	for value := ""; value != "blue"; {
		if value, err = next(changes); err != nil {
			return err
		}
	}
	return errors.Join(
		expect("the items", items["color"].Value+" "+items["size"].Value, "green large"),
		client.UnsubscribeConfigurationItems(ctx, "configuration", id),
	)
}

func locks(ctx context.Context, client dapr.Client) error {
	lock := func(owner string) (bool, error) {
		answer, err := client.TryLockAlpha1(ctx, "locks", &dapr.LockRequest{ResourceID: "thing", LockOwner: owner, ExpiryInSeconds: 60})
		return err == nil && answer.Success, err
	}
	mine, err1 := lock("me")
	yours, err2 := lock("you")
	unlocked, err3 := client.UnlockAlpha1(ctx, "locks", &dapr.UnlockRequest{ResourceID: "thing", LockOwner: "me"})
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	return errors.Join(expect("the locks", []bool{mine, yours}, []bool{true, false}), expect("the status", unlocked.Status, "SUCCESS"))
}

func cryptography(ctx context.Context, client dapr.Client) error {
	plain := make([]byte, 200_000)
	rand.Read(plain)
	options := dapr.EncryptOptions{ComponentName: "keys", KeyName: "symmetric.json", KeyWrapAlgorithm: "A256KW"}
	encrypted, err := client.Encrypt(ctx, bytes.NewReader(plain), options)
	if err != nil {
		return err
	}
	decrypted, err := client.Decrypt(ctx, encrypted, dapr.DecryptOptions{ComponentName: "keys"})
	if err != nil {
		return err
	}
	back, err := io.ReadAll(decrypted)
	return errors.Join(err, expect("the plaintext is the same", bytes.Equal(back, plain), true))
}

func outputBinding(ctx context.Context, client dapr.Client) error {
	file := map[string]string{"fileName": "a.txt"}
	create := &dapr.InvokeBindingRequest{Name: "files", Operation: "create", Data: []byte("content"), Metadata: file}
	if _, err := client.InvokeBinding(ctx, create); err != nil {
		return err
	}
	got, err := client.InvokeBinding(ctx, &dapr.InvokeBindingRequest{Name: "files", Operation: "get", Metadata: file})
	if err != nil {
		return err
	}
	return expect("the file", string(got.Data), "content")
}

func inputBinding(context.Context, dapr.Client) error {
	_, err := next(ticks)
	return err
}

func publishing(ctx context.Context, client dapr.Client) error {
	if err := client.PublishEvent(ctx, "pubsub", "events", map[string]int{"n": 1}); err != nil {
		return err
	}
	event, err := next(events)
	if err != nil {
		return err
	}
	return expect("the event", string(event.RawData), `{"n":1}`)
}

func bulkPublishing(ctx context.Context, client dapr.Client) error {
	answer := client.PublishEvents(ctx, "pubsub", "events", []interface{}{"a", "b", "c"})
	if answer.Error != nil {
		return answer.Error
	}
	var came []string
	for range 3 {
		event, err := next(events)
		if err != nil {
			return err
		}
		came = append(came, fmt.Sprint(event.Data))
	}
	sort.Strings(came)
	return expect("the events", came, []string{"a", "b", "c"})
}

func streaming(ctx context.Context, client dapr.Client) error {
	came, attempts := make(chan string, 100), 0
	handle := func(event *common.TopicEvent) common.SubscriptionResponseStatus {
		came <- string(event.RawData)
		if attempts++; attempts == 1 {
			return common.SubscriptionResponseStatusRetry
		}
		return common.SubscriptionResponseStatusSuccess
	}
	stop, err := client.SubscribeWithHandler(ctx, dapr.SubscriptionOptions{PubsubName: "durable", Topic: "streamed"}, handle)
	if err != nil {
		return err
	}
	if err := client.PublishEvent(ctx, "durable", "streamed", "once"); err != nil {
		return err
	}
	first, err := next(came)
	if err != nil {
		return err
	}
	second, err := next(came)
	return errors.Join(err, expect("what comes again", second, first), stop())
}

func outbox(ctx context.Context, client dapr.Client) error {
	operation := &dapr.StateOperation{
		Type: dapr.StateOperationTypeUpsert,
		Item: &dapr.SetStateItem{Key: "order", Value: []byte(`{"n":1}`)},
	}
	if err := client.ExecuteStateTransaction(ctx, "boxed", nil, []*dapr.StateOperation{operation}); err != nil {
		return err
	}
	event, err := next(boxed)
	if err != nil {
		return err
	}
	var data map[string]int
	return errors.Join(json.Unmarshal(event.RawData, &data), expect("the event", data["n"], 1))
}

func jobs(ctx context.Context, client dapr.Client) error {
	data, err := anypb.New(wrapperspb.String("of orders"))
	if err != nil {
		return err
	}
	report := &dapr.Job{Name: "report", Schedule: "@every 1h", DueTime: "0s", Repeats: 2, Data: data}
	if err := client.ScheduleJobAlpha1(ctx, report); err != nil {
		return err
	}
	event, err := next(due)
	if err != nil {
		return err
	}
	kept, err := client.GetJobAlpha1(ctx, "report")
	if err != nil {
		return err
	}
	if err := client.DeleteJobAlpha1(ctx, "report"); err != nil {
		return err
	}
	_, missing := client.GetJobAlpha1(ctx, "report")
	return errors.Join(
		expect("the name", event.JobType, "report"),
		expect("the data", string(event.Data), string(data.Value)),
		expect("the schedule", kept.Schedule, "@every 1h"),
		refused(missing, "not found"),
	)
}

func invocation(ctx context.Context, client dapr.Client) error {
	content := &dapr.DataContent{Data: []byte("hello"), ContentType: "text/plain"}
	answer, err := client.InvokeMethodWithContent(ctx, "sdk", "shout", "post", content)
	return errors.Join(err, expect("the answer", string(answer), "HELLO"))
}

func metadata(ctx context.Context, client dapr.Client) error {
	if err := client.SetMetadata(ctx, "answer", "42"); err != nil {
		return err
	}
	found, err := client.GetMetadata(ctx)
	if err != nil {
		return err
	}
	return errors.Join(expect("the id", found.ID, "sdk"), expect("what was set", found.ExtendedMetadata["answer"], "42"))
}
