// SPDX-License-Identifier: Apache-2.0
/// A folder with synthetic clips, and pipelines that run on plain processes.
#pragma once

#include <string>
#include <vector>

#include <particle_sprocket/pipeline.hpp>

namespace particle::test {

class SprocketBed {
 public:
  SprocketBed();
  SprocketBed(const SprocketBed&) = delete;
  SprocketBed& operator=(const SprocketBed&) = delete;
  ~SprocketBed();

  [[nodiscard]] std::string path(const std::string& name) const { return folder_ + "/" + name; }
  /// Writes ffmpeg's synthetic `source`, losslessly, with a key frame now and then that no chunk
  /// begins with. Returns its path.
  [[nodiscard]] std::string clip(const std::string& name, const std::string& source) const;
  /// MD5 of every frame that ffmpeg, called once with these arguments, gives.
  [[nodiscard]] static std::vector<std::string> frames(const std::vector<std::string>& arguments);
  /// Options with which `input` becomes `output`.
  [[nodiscard]] sprocket::PipelineOptions options(const std::string& input,
                                                  const std::string& output) const;
  /// Everything in the folder, sorted.
  [[nodiscard]] std::vector<std::string> files() const;

 private:
  std::string folder_;
};

/// The pipespec that comes along under this name.
sprocket::Pipespec shipped(const std::string& name);
/// A program of this text, executable.
std::string write_program(const std::string& path, const std::string& text);
/// Workers of this test process that live.
std::size_t living_workers();

}  // namespace particle::test
