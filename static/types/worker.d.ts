// So that there is something to check before there is a worker.
export {};
