// Velero's own rule engine as a program, to compare ours with: it is compiled inside a copy of Velero's module, since
// the engine's package is internal.
//
// Reads one case after the other from its input, and answers each by a line of its output. A case with a number of
// iterations is measured as well.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	volumegroupsnapshotv1beta2 "github.com/kubernetes-csi/external-snapshotter/client/v8/apis/volumegroupsnapshot/v1beta2"
	snapshotv1 "github.com/kubernetes-csi/external-snapshotter/client/v8/apis/volumesnapshot/v1"
	"github.com/sirupsen/logrus"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/vmware-tanzu/velero/internal/resourcemodifiers"
	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	velerov2alpha1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v2alpha1"
)

// batch is how many copies of an object lie ready while the rules are applied to them.
const batch = 200

// request is one case.
type request struct {
	// Rules is the text of the ConfigMap.
	Rules string `json:"rules"`
	// Object is what they are applied to, in its original namespace.
	Object json.RawMessage `json:"object"`
	// GroupResource is what the object is, as in `deployments.apps`.
	GroupResource string `json:"groupResource"`
	// Iterations is how often to measure; not at all if 0.
	Iterations int `json:"iterations,omitempty"`
}

// response is what became of a case.
type response struct {
	// Invalid says why Velero would fail the restore before it begins.
	Invalid string `json:"invalid,omitempty"`
	// Object is what would be restored.
	Object *unstructured.Unstructured `json:"object,omitempty"`
	// Errors are those of the rules that Velero would report; the object is restored nevertheless.
	Errors []string `json:"errors,omitempty"`
	// Panic is what a panic said that would have ended Velero.
	Panic string `json:"panic,omitempty"`
	// Nanoseconds is what one application takes.
	Nanoseconds float64 `json:"nanoseconds,omitempty"`
}

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(input io.Reader, output io.Writer) error {
	scheme, err := restoreScheme()
	if err != nil {
		return err
	}
	// Velero writes a line for every rule. None is written here, which makes it faster than it is.
	log := logrus.New()
	log.SetLevel(logrus.PanicLevel)

	requests, responses := json.NewDecoder(bufio.NewReader(input)), json.NewEncoder(output)
	for {
		var asked request
		if err := requests.Decode(&asked); err == io.EOF {
			return nil
		} else if err != nil {
			return fmt.Errorf("the input is no case: %w", err)
		}
		answer, err := respond(asked, scheme, log)
		if err != nil {
			return err
		}
		if err := responses.Encode(answer); err != nil {
			return err
		}
	}
}

func respond(asked request, scheme *runtime.Scheme, log logrus.FieldLogger) (answer *response, err error) {
	answer = &response{}
	defer func() {
		if said := recover(); said != nil {
			answer, err = &response{Panic: fmt.Sprint(said)}, nil
		}
	}()
	object := &unstructured.Unstructured{}
	if err := object.UnmarshalJSON(asked.Object); err != nil {
		return nil, fmt.Errorf("not an object: %w", err)
	}
	rules, err := resourcemodifiers.GetResourceModifiersFromConfig(&corev1.ConfigMap{
		Data: map[string]string{"rules.yaml": asked.Rules},
	})
	if err == nil {
		err = rules.Validate()
	}
	if err != nil {
		return &response{Invalid: err.Error()}, nil
	}
	if asked.Iterations > 0 {
		answer.Nanoseconds = measure(rules, object, asked, scheme, log)
	}
	for _, err := range rules.ApplyResourceModifierRules(object, asked.GroupResource, scheme, log) {
		answer.Errors = append(answer.Errors, err.Error())
	}
	answer.Object = object
	return answer, nil
}

// measure says how many nanoseconds the rules take on a copy of the object, without the copying.
func measure(
	rules *resourcemodifiers.ResourceModifiers,
	object *unstructured.Unstructured,
	asked request,
	scheme *runtime.Scheme,
	log logrus.FieldLogger,
) float64 {
	var spent time.Duration
	copies := make([]*unstructured.Unstructured, batch)
	done := 0
	for ; done < asked.Iterations; done += batch {
		for index := range copies {
			copies[index] = object.DeepCopy()
		}
		start := time.Now()
		for _, object := range copies {
			rules.ApplyResourceModifierRules(object, asked.GroupResource, scheme, log)
		}
		spent += time.Since(start)
	}
	return float64(spent.Nanoseconds()) / float64(done)
}

// restoreScheme has the kinds of the client that Velero's server restores with (pkg/cmd/server/server.go). By them,
// strategic patches find their merge keys; on any other kind they fail.
func restoreScheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		velerov1.AddToScheme,
		velerov2alpha1.AddToScheme,
		corev1.AddToScheme,
		batchv1.AddToScheme,
		appsv1.AddToScheme,
		snapshotv1.AddToScheme,
		volumegroupsnapshotv1beta2.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	return scheme, nil
}
