from metaflow import FlowSpec, step


class Five(FlowSpec):
    @step
    def start(self):
        self.numbers = list(range(1000))
        self.next(self.double)

    @step
    def double(self):
        self.doubled = [2 * number for number in self.numbers]
        self.next(self.split)

    @step
    def split(self):
        half = len(self.doubled) // 2
        self.halves = [self.doubled[:half], self.doubled[half:]]
        self.next(self.mean)

    @step
    def mean(self):
        self.means = [sum(half) / len(half) for half in self.halves]
        self.next(self.end)

    @step
    def end(self):
        print("difference", self.means[1] - self.means[0])


if __name__ == "__main__":
    Five()
