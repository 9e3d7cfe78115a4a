// SPDX-License-Identifier: MIT
#ifndef DIGITS_PACKED_MLP_HPP
#define DIGITS_PACKED_MLP_HPP

#include "digits_data.hpp"

#include <cstddef>
#include <span>
#include <vector>

namespace digits {

// As wide as the target's registers and no wider: compilers split a wider vector badly.
#if defined(__AVX512F__)
inline constexpr std::size_t kVectorWidth = 16;
#elif defined(__AVX__)
inline constexpr std::size_t kVectorWidth = 8;
#else
inline constexpr std::size_t kVectorWidth = 4;  // SSE2, NEON
#endif

using Vector [[gnu::vector_size(kVectorWidth * sizeof(float))]] = float;

/// "AVX-512", "AVX" or "128-bit vectors": what this program was compiled for.
const char* vector_instructions();

/// The network with its weights in packed panels, and why batching pays on a CPU.
///
/// A single image reads every weight (4.5 MB) to use it once: the memory system is the limit. A
/// batch reads each weight once for a block of several images and so reaches the arithmetic's limit
/// instead. A panel is a strip of columns, a few vectors wide, stored in the order in which the
/// kernel reads it.
///
/// The sums of one image are the same operations in the same order whatever shares its batch, so
/// its logits are bit-identical for every batch size and position.
class PackedMlp {
 public:
  /// Activations of one batch; grows to the largest one seen. One for each thread.
  struct Scratch {
    std::vector<float> from;
    std::vector<float> to;
  };

  explicit PackedMlp(const Network& network);

  /// Writes the prediction of images[i] to predictions[i]. The spans have one size, any size.
  /// Threads may call it at once, each with its own scratch.
  void predict(std::span<const Image> images, std::span<Prediction> predictions,
               Scratch& scratch) const;

 private:
  // A struct, because a vector type loses its alignment as a template argument.
  struct Lane {
    Vector value;
  };

  struct PackedLayer {
    std::size_t inputs;
    std::size_t panels;
    bool relu;
    std::vector<Lane> bias;     // kPanelVectors a panel
    std::vector<Lane> weights;  // inputs x kPanelVectors a panel

    std::size_t padded_outputs() const;
    std::size_t stride() const;  // Of the activations it writes.
  };

  template <std::size_t kRows, std::size_t kPanels>
  static void multiply_rows(const PackedLayer& layer, std::size_t panel, const float* from,
                            std::size_t from_stride, float* to);
  static void multiply(const PackedLayer& layer, std::size_t rows, const float* from,
                       std::size_t from_stride, float* to);
  static PackedLayer pack(const Layer& layer, bool relu);

  std::vector<PackedLayer> layers_;
  std::size_t scratch_width_ = 0;  // floats an image of the widest layer
};

}  // namespace digits

#endif  // DIGITS_PACKED_MLP_HPP
