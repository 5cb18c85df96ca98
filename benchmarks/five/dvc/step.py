import json
import sys


def read(name):
    with open(f"{name}.json") as file:
        return json.load(file)


def write(name, value):
    with open(f"{name}.json", "w") as file:
        json.dump(value, file)


def numbers():
    write("numbers", list(range(1000)))


def double():
    write("doubled", [2 * number for number in read("numbers")])


def split():
    doubled = read("doubled")
    half = len(doubled) // 2
    write("halves", [doubled[:half], doubled[half:]])


def mean():
    write("means", [sum(half) / len(half) for half in read("halves")])


def difference():
    means = read("means")
    write("difference", means[1] - means[0])
    print("difference", means[1] - means[0])


globals()[sys.argv[1]]()
