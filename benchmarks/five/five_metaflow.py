import steps
from metaflow import FlowSpec, step


class Five(FlowSpec):
    @step
    def start(self):
        self.numbers = steps.numbers()
        self.next(self.double)

    @step
    def double(self):
        self.doubled = steps.double(self.numbers)
        self.next(self.split)

    @step
    def split(self):
        self.halves = steps.split(self.doubled)
        self.next(self.mean)

    @step
    def mean(self):
        self.means = steps.mean(self.halves)
        self.next(self.end)

    @step
    def end(self):
        print("difference", steps.difference(self.means).item())


if __name__ == "__main__":
    Five()
