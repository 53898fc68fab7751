module go-init

go 1.19
