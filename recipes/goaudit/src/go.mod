module goaudit

go 1.19
