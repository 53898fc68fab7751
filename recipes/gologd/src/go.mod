module gologd

go 1.19
