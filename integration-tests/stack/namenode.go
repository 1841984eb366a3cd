package stack

import (
	"context"
	"encoding/json"
	"net/http"
	"time"
)

// liveDataNodes asks the NameNode's JMX page how many DataNodes are alive.
func (h *HDFSCluster) liveDataNodes(ctx context.Context) int {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	url := "http://" + hostPort(h.HTTPPort) + "/jmx?qry=Hadoop:service=NameNode,name=FSNamesystemState"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	var page struct {
		Beans []struct{ NumLiveDataNodes int }
	}
	if json.NewDecoder(resp.Body).Decode(&page) != nil || len(page.Beans) == 0 {
		return 0
	}
	return page.Beans[0].NumLiveDataNodes
}
