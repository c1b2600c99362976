// SPDX-License-Identifier: Apache-2.0
// Runs a fuzz target without libFuzzer: every file of a corpus, then deterministic mutations of
// each.
//
//   replay CORPUS_DIR MUTATIONS_PER_FILE LAST_INPUT_FILE
//
// LAST_INPUT_FILE always holds the input that is running: after a crash it is the one to look at,
// and to add to the corpus once the cause is mended. A file instead of CORPUS_DIR replays that
// file.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr std::size_t kLargestInput = 64 * 1024;

Bytes read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return Bytes(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
}

std::vector<std::filesystem::path> corpus_files(const std::filesystem::path& corpus) {
  std::vector<std::filesystem::path> files;
  if (std::filesystem::is_regular_file(corpus)) {
    files.push_back(corpus);
  } else if (std::filesystem::is_directory(corpus)) {
    for (const auto& entry : std::filesystem::directory_iterator(corpus)) {
      if (entry.is_regular_file()) {
        files.push_back(entry.path());
      }
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

class Replay {
 public:
  explicit Replay(std::filesystem::path last_input) : last_input_(std::move(last_input)) {}

  void run(const Bytes& input) {
    std::ofstream(last_input_, std::ios::binary | std::ios::trunc)
        .write(reinterpret_cast<const char*>(input.data()),
               static_cast<std::streamsize>(input.size()));
    // An exact-size copy on the heap, so that a sanitizer sees one byte too many.
    const Bytes exact(input.begin(), input.end());
    LLVMFuzzerTestOneInput(exact.data(), exact.size());
    ++runs_;
  }

  [[nodiscard]] std::uint64_t runs() const { return runs_; }

 private:
  std::filesystem::path last_input_;
  std::uint64_t runs_ = 0;
};

class Mutator {
 public:
  explicit Mutator(std::uint64_t seed) : random_(seed) {}

  // One to four of: flip a bit, set a byte or a 16-bit length to a telling value, cut, grow, copy.
  Bytes mutate(Bytes input) {
    for (std::size_t edits = 1 + below(4); edits > 0; --edits) {
      edit(input);
    }
    if (input.size() > kLargestInput) {
      input.resize(kLargestInput);
    }
    return input;
  }

 private:
  // mt19937_64 gives the same numbers everywhere; the standard distributions do not.
  std::size_t below(std::size_t bound) { return bound == 0 ? 0 : random_() % bound; }

  std::uint8_t telling_byte() {
    constexpr std::uint8_t kTelling[] = {0x00, 0x01, 0x03, 0x04, 0x05, 0x0f,
                                         0x10, 0x7f, 0x80, 0xc0, 0xfe, 0xff};
    return kTelling[below(std::size(kTelling))];
  }

  void edit(Bytes& input) {
    if (input.empty()) {
      input.assign(1 + below(64), telling_byte());
      return;
    }
    const std::size_t at = below(input.size());
    const auto from = input.begin() + static_cast<std::ptrdiff_t>(at);
    switch (below(6)) {
      case 0:
        input[at] = static_cast<std::uint8_t>(input[at] ^ (1U << below(8)));
        break;
      case 1:
        input[at] = telling_byte();
        break;
      case 2:
        input[at] = telling_byte();
        input[std::min(at + 1, input.size() - 1)] = telling_byte();
        break;
      case 3:
        input.resize(at);
        break;
      case 4:
        input.insert(from, 1 + below(16), telling_byte());
        break;
      default: {
        const std::size_t length = std::min<std::size_t>(input.size() - at, 1 + below(64));
        const Bytes piece(from, from + static_cast<std::ptrdiff_t>(length));
        input.insert(input.begin() + static_cast<std::ptrdiff_t>(below(input.size())),
                     piece.begin(), piece.end());
      }
    }
  }

  std::mt19937_64 random_;
};

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() != 3) {
    std::cerr << "usage: replay CORPUS_DIR MUTATIONS_PER_FILE LAST_INPUT_FILE\n";
    return 2;
  }
  const std::vector<std::filesystem::path> files = corpus_files(arguments[0]);
  const std::uint64_t mutations = std::stoull(arguments[1]);
  if (files.empty()) {
    std::cerr << "no corpus in " << arguments[0] << '\n';
    return 1;
  }

  Replay replay(arguments[2]);
  replay.run({});
  for (std::size_t index = 0; index < files.size(); ++index) {
    const Bytes seed = read_file(files[index]);
    replay.run(seed);
    Mutator mutator(index + 1);
    for (std::uint64_t count = 0; count < mutations; ++count) {
      replay.run(mutator.mutate(seed));
    }
  }
  std::cout << replay.runs() << " inputs from " << files.size() << " corpus files\n";
  std::filesystem::remove(arguments[2]);
  return 0;
}
