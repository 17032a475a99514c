# A module with a test that uses what the runtime has: threads, signals, processes, sockets.
command -v go >/dev/null || { echo "there is no go"; exit 77; }
export GOCACHE=/tmp/go-cache GOPATH=/tmp/go GOFLAGS=-mod=mod GOPROXY=off GOTOOLCHAIN=local CGO_ENABLED=0
mkdir hello && cd hello
cat > go.mod <<'END'
module hello
go 1.18
END
cat > hello.go <<'END'
package main
import "fmt"
func Greeting() string { return "hello" }
func main() { fmt.Println(Greeting()) }
END
cat > hello_test.go <<'END'
package main
import (
	"net"
	"os"
	"os/exec"
	"sync"
	"testing"
)
func TestGreeting(t *testing.T) {
	var all sync.WaitGroup
	for i := 0; i < 100; i++ {
		all.Add(1)
		go func() { defer all.Done(); _ = Greeting() }()
	}
	all.Wait()
	if err := exec.Command("true").Run(); err != nil { t.Fatal(err) }
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil { t.Fatal(err) }
	there, err := net.Dial("tcp", listener.Addr().String())
	if err != nil { t.Fatal(err) }
	there.Close()
	if err := os.WriteFile(t.TempDir()+"/x", []byte("x"), 0o600); err != nil { t.Fatal(err) }
}
END
go build -o hello . && ./hello && go vet . && go test .
