import Fenchel

/// A generator of digits against a discriminator with the quadratic activation, which needs no game: the G of least ‖G‖² with
/// ‖XᵀX − GᵀG‖₂ ≤ β is known in closed form. It is kept in a file, read again, and makes pictures.
func generatePictures() throws {
  var settings = GeneratorSettings()
  (settings.sizes, settings.β) = ([4, 8], .ratio(0.05))
  let result = try GenerativeTraining(settings).run(GrayImages.read("digits"))
  for stage in result.report.stages {
    print("  \(stage.size) × \(stage.size) pixels")
    print("    objective  \(stage.optimum), the least there is")
    print("    constraint ‖XᵀX − GᵀG‖ = \(stage.generatedConstraint), β = \(stage.beta)")
    print("    rank       \(stage.rank) of \(result.report.noise) dimensions of noise")
  }

  try GeneratorFile(result).write(to: "digits.safetensors")
  let generator = try GeneratorFile(contentsOf: "digits.safetensors").generator
  let pictures = generator.pictures(generator.noise(64, seed: 7))
  let grid = GrayBitmap(grid: pictures[1], height: 8, width: 8, columns: 8)
  try AtomicFile.write(grid.png, to: "digits.png")
}
