import Testing
import Fenchel
