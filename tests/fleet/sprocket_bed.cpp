// SPDX-License-Identifier: Apache-2.0
#include "sprocket_bed.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include <stdlib.h>
#include <unistd.h>

#include "support/netns_fixture.hpp"
#include "worker/memory_file.hpp"
#include "worker/program.hpp"

namespace particle::test {

namespace fs = std::filesystem;
using namespace sprocket;

SprocketBed::SprocketBed() : folder_("/tmp/particle-test-XXXXXX") {
  if (::mkdtemp(folder_.data()) == nullptr) throw std::runtime_error("mkdtemp");
}

SprocketBed::~SprocketBed() {
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

std::string SprocketBed::clip(const std::string& name, const std::string& source) const {
  must(run_program(
      {{"ffmpeg", "-nostdin", "-v", "error", "-f", "lavfi", "-i", source, "-pix_fmt", "yuv420p",
        "-c:v", "libx264", "-qp", "0", "-preset", "ultrafast", "-g", "37", path(name)},
       {}}));
  return path(name);
}

std::vector<std::string> SprocketBed::frames(const std::vector<std::string>& arguments) {
  const UniqueFd file = must(open_memory_file("md5"));
  std::vector<std::string> all{"ffmpeg", "-nostdin", "-v", "error"};
  all.insert(all.end(), arguments.begin(), arguments.end());
  all.insert(all.end(), {"-fps_mode", "passthrough", "-f", "framemd5", "-"});
  must(run_program({all, {{1, file.get()}}}));
  std::istringstream lines(must(read_whole(file.get(), "md5")));
  std::vector<std::string> out;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("#")) out.push_back(line.substr(line.rfind(' ') + 1));
  }
  return out;
}

PipelineOptions SprocketBed::options(const std::string& input, const std::string& output) const {
  PipelineOptions out;
  out.inputs[0] = input;
  out.outputs[0] = output;
  out.concurrency = 4;
  out.job.id = "test-" + fs::path(folder_).filename().string();
  out.job.function.command = {std::string(PARTICLE_TEST_BIN_DIR) + "/particle-worker"};
  return out;
}

std::vector<std::string> SprocketBed::files() const {
  std::vector<std::string> out;
  for (const auto& entry : fs::recursive_directory_iterator(folder_)) {
    out.push_back(fs::relative(entry.path(), folder_).string());
  }
  std::sort(out.begin(), out.end());
  return out;
}

Pipespec shipped(const std::string& name) {
  return must(read_pipespec(std::string(PARTICLE_TEST_SOURCE_DIR) +
                            "/../fleet/sprocket/pipelines/" + name + ".json"));
}

std::string write_program(const std::string& path, const std::string& text) {
  std::ofstream(path) << text;
  fs::permissions(path, fs::perms::owner_all);
  return path;
}

std::size_t living_workers() {
  std::size_t count = 0;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const std::string name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    std::ifstream file(entry.path() / "stat");
    std::string text;
    if (!std::getline(file, text)) continue;  // it has ended
    const auto name_end = text.rfind(')');
    if (name_end == std::string::npos) continue;
    std::istringstream rest(text.substr(name_end + 1));
    std::string state;
    pid_t parent = 0;
    rest >> state >> parent;
    count += parent == ::getpid();
  }
  return count;
}

}  // namespace particle::test
