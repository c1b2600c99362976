// SPDX-License-Identifier: Apache-2.0
#include "coordinator/outputs.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "delivery/kinds.hpp"
#include "input/video.hpp"
#include "worker/program.hpp"

namespace particle::sprocket {
namespace {

namespace fs = std::filesystem;

std::string ending(const std::string& path) {
  return fs::path(path).extension().string();
}

bool is_picture(const std::string& path) {
  constexpr std::array kEndings = {".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tiff"};
  return std::find(kEndings.begin(), kEndings.end(), ending(path)) != kEndings.end();
}

Result<void> move_file(const std::string& from, const std::string& to) {
  std::error_code error;
  fs::rename(from, to, error);
  if (!error) return {};
  return fail(Error::from_errno(error.value(), "rename " + from + " to " + to));
}

Result<std::string> write_list(const std::vector<Part>& parts, const std::string& scratch) {
  std::string path = scratch + "/parts.txt";
  std::ofstream list(path);
  list << "ffconcat version 1.0\n";
  for (const Part& part : parts) {
    list << "file '" << fs::path(part.path).filename().string() << "'\nduration " << std::fixed
         << part.seconds << "\n";
  }
  list.close();
  if (list) return path;
  return fail(Error::from_errno(errno != 0 ? errno : ENOSPC, "write " + path));
}

/// Chunks one after the other, as they are.
Result<void> join(const std::vector<Part>& parts, const std::string& scratch, const std::string& to,
                  const std::vector<std::string>& options) {
  const auto list = write_list(parts, scratch);
  if (!list) return fail(list.error());
  std::vector<std::string> arguments{
      "ffmpeg", "-nostdin", "-hide_banner", "-v", "error", "-xerror",       "-y",
      "-f",     "concat",   "-safe",        "0",  "-i",    "file:" + *list, "-map",
      "0:v",    "-c",       "copy"};
  arguments.insert(arguments.end(), options.begin(), options.end());
  arguments.push_back("file:" + to);
  auto done = run_program({std::move(arguments), {}});
  if (!done && done.error().kernel_message.find("No space left") != std::string::npos) {
    Error error = Error::from_errno(ENOSPC, "write " + to);
    error.kernel_message = done.error().kernel_message;
    return fail(std::move(error));
  }
  return done;
}

/// ffmpeg joins what it is given; that nothing fell out is ours to see to.
Result<void> check_count(const std::string& path, const std::vector<Part>& parts,
                         const std::string& output) {
  std::uint64_t frames = 0;
  for (const Part& part : parts) frames += part.frames;
  const auto counted = count_frames(path);
  if (!counted) return fail(counted.error());
  if (*counted == frames) return {};
  return fail(Error::of(Errc::protocol,
                        "output " + output + ": " + std::to_string(*counted) + " frames of " +
                            std::to_string(frames) + " are in the joined file",
                        "the codec and this container do not go together"));
}

Result<void> write_file(const std::string& output, const std::vector<Part>& parts,
                        const std::string& scratch) {
  const std::string whole = scratch + "/whole" + ending(output);
  if (is_picture(output)) {
    if (parts.size() != 1) {
      return fail(Error::of(Errc::invalid_argument,
                            "output " + output + ": " + std::to_string(parts.size()) + " pictures",
                            "name a pattern: picture-%03d" + ending(output)));
    }
    return move_file(parts.front().path, output);
  }
  if (auto ok = join(parts, scratch, whole, {}); !ok) return ok;
  if (auto ok = check_count(whole, parts, output); !ok) return ok;
  return move_file(whole, output);
}

/// All of them, or none.
Result<void> write_files(const std::string& output, const std::vector<Part>& parts,
                         const std::string& scratch) {
  std::vector<std::pair<std::string, std::string>> moves;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    std::string from = parts[i].path;
    if (!is_picture(output)) {
      from = scratch + "/whole-" + std::to_string(i) + ending(output);
      if (auto ok = join({parts[i]}, scratch, from, {}); !ok) return ok;
      if (auto ok = check_count(from, {parts[i]}, output); !ok) return ok;
    }
    moves.emplace_back(from, *numbered(output, i + 1));
  }
  for (std::size_t i = 0; i < moves.size(); ++i) {
    auto moved = move_file(moves[i].first, moves[i].second);
    if (moved) continue;
    std::error_code ignored;
    for (std::size_t j = 0; j < i; ++j) fs::remove(moves[j].second, ignored);
    return moved;
  }
  return {};
}

}  // namespace

Result<ScratchDirectory> ScratchDirectory::make(const std::string& parent) {
  std::string path = (parent.empty() ? "." : parent) + "/.particle-pipeline-XXXXXX";
  if (::mkdtemp(path.data()) == nullptr) {
    return fail(Error::from_errno(errno, "mkdir " + path));
  }
  return ScratchDirectory(fs::absolute(path).string());
}

ScratchDirectory::~ScratchDirectory() {
  std::error_code ignored;
  if (!path_.empty()) fs::remove_all(path_, ignored);
}

OutputKind kind_of(const std::string& output) {
  if (output == "null:") return OutputKind::nothing;
  if (output.ends_with(".mpd")) return OutputKind::dash;
  return output.find('%') == std::string::npos ? OutputKind::file : OutputKind::files;
}

std::optional<std::string> numbered(const std::string& pattern, std::uint64_t number) {
  const auto begin = pattern.find('%');
  if (begin == std::string::npos || pattern.find('%', begin + 1) != std::string::npos) return {};
  const auto end = pattern.find_first_not_of("0123456789", begin + 1);
  if (end == std::string::npos || pattern[end] != 'd' || end - begin > 3) return {};
  const std::string width = pattern.substr(begin + 1, end - begin - 1);
  std::string digits = std::to_string(number);
  const std::size_t wanted = width.empty() ? 0 : std::stoul(width);
  if (digits.size() < wanted) digits.insert(0, wanted - digits.size(), '0');
  return pattern.substr(0, begin) + digits + pattern.substr(end + 1);
}

Result<std::vector<Part>> line_up(const Flow& flow, std::uint64_t output, double rate) {
  std::vector<Arrival> arrivals = flow.outputs().at(output);
  std::sort(arrivals.begin(), arrivals.end(),
            [](const Arrival& a, const Arrival& b) { return a.first < b.first; });
  std::vector<Part> parts;
  std::uint64_t position = 0;
  for (const Arrival& arrival : arrivals) {
    if (arrival.first != position) {
      return fail(Error::of(Errc::conflict, "output " + std::to_string(output) + ": " +
                                                frames_text(arrival.first, arrival.span) +
                                                " came where frame " + std::to_string(position) +
                                                " was due"));
    }
    position += arrival.span;
    if (arrival.frames == 0) continue;  // a filter dropped them all
    parts.push_back({flow.item(arrival.item).place.path, arrival.first, arrival.frames,
                     static_cast<double>(arrival.frames) / rate});
  }
  return parts;
}

Result<void> write_output(const std::string& output, const std::vector<Part>& parts,
                          const std::string& scratch) {
  if (parts.empty()) {
    return fail(
        Error::of(Errc::conflict, "output " + output + ": the pipeline dropped every frame"));
  }
  switch (kind_of(output)) {
    case OutputKind::nothing:
    case OutputKind::dash:
      return {};
    case OutputKind::file:
      return write_file(output, parts, scratch);
    case OutputKind::files:
      return write_files(output, parts, scratch);
  }
  return {};
}

}  // namespace particle::sprocket
