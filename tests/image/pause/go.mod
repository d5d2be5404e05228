module xdpredirect.test/pause

go 1.26
